"""A lexicon: everyday English words with what they are called in simplified Chinese."""

ENGLISH_TO_CHINESE = (
    ("water", "水"), ("fire", "火"), ("earth", "土"), ("wood", "木"), ("gold", "金"), ("sun", "太阳"),
    ("moon", "月亮"), ("star", "星"), ("sky", "天空"), ("rain", "雨"), ("snow", "雪"), ("wind", "风"),
    ("cloud", "云"), ("river", "河"), ("sea", "海"), ("hill", "山"), ("stone", "石头"), ("tree", "树"),
    ("flower", "花"), ("grass", "草"), ("leaf", "叶子"), ("person", "人"), ("child", "孩子"), ("mother", "母亲"),
    ("father", "父亲"), ("friend", "朋友"), ("teacher", "老师"), ("hand", "手"), ("foot", "脚"), ("eye", "眼睛"),
    ("ear", "耳朵"), ("mouth", "嘴"), ("heart", "心"), ("head", "头"), ("dog", "狗"), ("cat", "猫"),
    ("horse", "马"), ("cow", "牛"), ("sheep", "羊"), ("bird", "鸟"), ("fish", "鱼"), ("tiger", "老虎"),
    ("rice", "米饭"), ("bread", "面包"), ("meat", "肉"), ("egg", "鸡蛋"), ("apple", "苹果"), ("tea", "茶"),
    ("milk", "牛奶"), ("salt", "盐"), ("house", "房子"), ("door", "门"), ("window", "窗户"), ("table", "桌子"),
    ("book", "书"), ("paper", "纸"), ("pen", "笔"), ("car", "汽车"), ("train", "火车"), ("road", "路"),
    ("city", "城市"), ("school", "学校"), ("day", "白天"), ("night", "夜晚"), ("year", "年"), ("red", "红色"),
    ("green", "绿色"), ("white", "白色"), ("black", "黑色"), ("big", "大"), ("small", "小"), ("good", "好"),
)  # fmt: skip
"""Words with their counterparts."""
