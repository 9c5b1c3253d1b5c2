"""The networks with published weights: names and shapes, pre-processing, and files that the test writes.

The published files themselves were never loaded here.
"""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.nn.functional import interpolate

from sparring.data.download import Remote
from sparring.data.images import digests
from sparring.data.named import Digits
from sparring.data.synthetic import Ring
from sparring.errors import DataError, RequestError
from sparring.evaluation import evaluate
from sparring.experiment import gather
from sparring.jury import Jury
from sparring.metrics import Specimens
from sparring.metrics.features import dinov2, inception, pretrained
from sparring.metrics.features.classifier import Classifier
from sparring.metrics.features.dinov2 import Dinov2, VisionTransformer
from sparring.metrics.features.inception import Inception, InceptionV3, levels, resized
from sparring.metrics.frechet import Frechet
from sparring.metrics.gan_train import GanTest
from sparring.metrics.inception_score import InceptionScore
from sparring.metrics.kernel import Kid
from sparring.metrics.shares import ClassShares
from sparring.sides import Judged
from sparring.tasks.generation import Generation

PICTURES = np.random.default_rng(0).integers(0, 256, (4, 20, 30, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def network() -> InceptionV3:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return InceptionV3().eval()


@pytest.fixture
def published(tmp_path, network, monkeypatch):
    """A file of the right names and shapes in the place of the published one."""
    path = tmp_path / "pt_inception.pth"
    torch.save(network.state_dict(), path)
    digest = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    monkeypatch.setattr(inception, "PUBLISHED", Remote(path.name, digest))
    monkeypatch.setenv("SPARRING_CACHE", str(tmp_path / "cache"))
    return path


def test_the_tensors_of_inception_are_those_of_the_published_file(network):
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    assert len(shapes) == 566
    assert sum(name.endswith("conv.weight") for name in shapes) == 94
    # The Inception-v3 of 1,000 classes has 27,161,264 weights, 3,326,696 of them in its auxiliary classifier.
    learned = sum(weight.numel() for weight in network.parameters())
    assert learned == 27_161_264 - 3_326_696 + 8 * 2049
    for name, shape in {
        "Conv2d_1a_3x3.conv.weight": (32, 3, 3, 3),
        "Mixed_5b.branch_pool.bn.running_var": (32,),
        "Mixed_5c.branch5x5_2.conv.weight": (64, 48, 5, 5),
        "Mixed_6a.branch3x3.conv.weight": (384, 288, 3, 3),
        "Mixed_6b.branch7x7_2.conv.weight": (128, 128, 1, 7),
        "Mixed_6d.branch7x7dbl_2.conv.weight": (160, 160, 7, 1),
        "Mixed_7a.branch7x7x3_4.conv.weight": (192, 192, 3, 3),
        "Mixed_7c.branch3x3dbl_3b.conv.weight": (384, 384, 3, 1),
        "Mixed_7c.branch_pool.bn.bias": (192,),
        "fc.weight": (1008, 2048),
        "fc.bias": (1008,),
    }.items():
        assert shapes[name] == shape


def test_pictures_are_resized_as_tensorflow_1_did_it():
    line = torch.tensor([0.0, 10, 30]).view(1, 1, 1, 3)
    # From 3 to 6 pixels: output i lies at i / 2 of the input; what is beyond the last pixel is the last pixel.
    assert resized(line, 6)[0, 0, 0].tolist() == [0, 5, 10, 20, 30, 30]
    assert resized(line.mT, 6)[0, 0, :, 0].tolist() == [0, 5, 10, 20, 30, 30]
    # From 4 to 2: every second pixel, without smoothing.
    assert resized(torch.arange(4.0).view(1, 1, 1, 4), 2)[0, 0, 0].tolist() == [0, 2]
    pixels = torch.rand(2, 3, 7, 5)
    rival = interpolate(pixels, (299, 299), mode="bilinear", align_corners=False)
    assert (resized(pixels) - rival).abs().max() > 0.1  # the half-pixel convention of today is another
    assert resized(pixels).shape == (2, 3, 299, 299)


def test_levels_are_0_to_255_in_three_channels():
    assert levels(PICTURES).shape == (4, 3, 20, 30)
    assert torch.equal(levels(PICTURES).permute(0, 2, 3, 1), torch.from_numpy(PICTURES.astype(np.float32)))
    grey = levels(np.full((1, 2, 2, 1), 65535, np.uint16))
    assert grey.shape == (1, 3, 2, 2)
    assert torch.equal(grey, torch.full((1, 3, 2, 2), 255.0))


def test_the_network_sees_minus_one_to_one(network, monkeypatch):
    seen = []
    monkeypatch.setattr(network.Conv2d_1a_3x3, "forward", lambda view: seen.append(view) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        network(torch.tensor([0.0, 128, 255]).view(1, 3, 1, 1))
    assert seen[0][0, :, 5, 7].tolist() == [-1, 0, 127 / 128]


def test_means_leave_the_border_out_and_the_last_block_takes_the_maximum(network):
    view = torch.ones(1, 1, 3, 3)
    assert torch.equal(inception._mean(view), view)  # a mean with a border of zeros would be 4/9 in the corner
    sharp = torch.zeros(1, 2048, 8, 8)
    sharp[0, 0, 4, 4] = 9
    pooled = []
    for block in (network.Mixed_7b, network.Mixed_7c):
        block.branch_pool.register_forward_pre_hook(lambda _, given: pooled.append(given[0][0, 0, 4, 4].item()))
        width = block.branch1x1.conv.in_channels
        with torch.no_grad():
            block(sharp[:, :width])
        block.branch_pool._forward_pre_hooks.clear()
    assert pooled == [1, 9]


def test_the_features_are_the_mean_of_the_last_block_and_the_logits_have_no_bias(network, published):
    fitted = Inception(weights=str(published)).fit(PICTURES, None, 0)
    last = []
    fitted.network.Mixed_7c.register_forward_hook(lambda *given: last.append(given[2]))
    look = fitted.look(PICTURES)
    assert look.features.shape == (4, 2048)
    assert look.features == pytest.approx(last[0][:4].mean((2, 3)).double().numpy(), abs=1e-6)
    logits = torch.from_numpy(look.features).float() @ network.fc.weight.T
    assert look.probabilities == pytest.approx(logits.softmax(1).detach().numpy(), abs=1e-5)


def test_weights_are_hashed_before_they_are_read_and_kept_as_safetensors(published, tmp_path, monkeypatch):
    read = pretrained.read_weights("inception", published, inception.PUBLISHED)
    assert read.digest == inception.PUBLISHED.digest
    (kept,) = (tmp_path / "cache" / "inception").iterdir()
    assert kept.suffix == ".safetensors"
    assert pretrained.read_weights("inception", kept, inception.PUBLISHED).digest == read.digest
    forged = tmp_path / "forged.safetensors"
    forged.write_bytes(kept.read_bytes())
    assert pretrained.read_weights("inception", forged, inception.PUBLISHED).digest == pretrained._digest(forged)
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("read before it was hashed, or twice"))
    assert pretrained.read_weights("inception", published, inception.PUBLISHED).digest == read.digest
    published.write_bytes(published.read_bytes() + b"x")
    with pytest.raises(RequestError, match="is not the published"):
        pretrained.read_weights("inception", published, inception.PUBLISHED)


class _Evil:
    def __reduce__(self):
        return (print, ("run",))


def test_a_file_that_would_run_code_is_refused(tmp_path, capsys):
    torch.save({"weight": _Evil()}, tmp_path / "evil.pth")
    with pytest.raises(DataError, match="read safely"):
        pretrained.convert(tmp_path / "evil.pth", tmp_path / "kept.safetensors", "sha256:0")
    assert "run" not in capsys.readouterr().out
    torch.save([torch.zeros(1)], tmp_path / "list.pth")
    with pytest.raises(DataError, match="no table of tensors"):
        pretrained.convert(tmp_path / "list.pth", tmp_path / "kept.safetensors", "sha256:0")


def test_a_missing_broken_or_foreign_file_is_one_line(tmp_path):
    with pytest.raises(RequestError, match="no such file"):
        Inception(weights=str(tmp_path / "none.pth")).fit(PICTURES, None, 0)
    (tmp_path / "broken.safetensors").write_bytes(b"no")
    with pytest.raises(DataError, match="no whole safetensors"):
        Inception(weights=str(tmp_path / "broken.safetensors")).fit(PICTURES, None, 0)
    save_file({"fc.weight": torch.zeros(2, 2)}, tmp_path / "other.safetensors")
    with pytest.raises(RequestError, match=r"566 tensors do not fit, first 'Conv2d_1a_3x3\.bn\.bias', not in the file"):
        Inception(weights=str(tmp_path / "other.safetensors")).fit(PICTURES, None, 0)
    (tmp_path / "weights.bin").write_bytes(b"no")
    with pytest.raises(RequestError, match=r"a \.pth or \.safetensors file is wanted"):
        Inception(weights=str(tmp_path / "weights.bin")).fit(PICTURES, None, 0)


def test_without_a_network_the_way_to_give_the_file_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARRING_DATA", str(tmp_path))
    monkeypatch.setenv("SPARRING_CACHE", str(tmp_path / "cache"))
    with pytest.raises(DataError, match="SPARRING_DATA"):
        Inception(mirrors=()).fit(PICTURES, None, 0)


def material():
    items = np.random.default_rng(0).integers(0, 256, (120, 8, 8, 1), dtype=np.uint8)
    data = replace(Ring(count=120).load(), items=items, modality="image", digests=digests(items), known={})
    return gather(Generation(), data)


class _Narrow(torch.nn.Module):
    """Two features in the place of Inception's, so that a distance takes no minute."""

    def forward(self, pictures):
        return pictures.mean((2, 3))[:, :2] + torch.tensor([0.0, 1.0]) * pictures[:, 0, :1, 0], None


@pytest.mark.parametrize(("official", "name"), [(True, "FID"), (False, "frechet[inception]")])
def test_only_the_published_weights_give_a_number_the_name_fid(official, name, monkeypatch):
    facts = {"shape": [8, 8, 1], "digest": inception.PUBLISHED.digest if official else "sha256:0", "resizing": "so"}
    fitted = pretrained_features(facts)
    monkeypatch.setattr(Inception, "fit", lambda *_, **__: fitted)
    made = material()
    jury = Jury.of(Generation(), made.data, metrics=(Frechet(), Kid()), features=Inception())
    judged = Judged(lambda n: Specimens(made.data.items[made.splits.train][:n]), lambda side: None)
    found = evaluate(judged, made, replace(jury, baselines=()))
    assert [row.name for row in found.rows] == [name, "kid[inception]"]
    assert found.protocol["features_resizing"] == "so"


def test_metrics_of_labels_are_taken_with_features_that_know_none_of_them(monkeypatch):
    digits = gather(Generation(attributes=("label",)), Digits().load())
    monkeypatch.setattr(Inception, "fit", lambda *_, **__: pretrained_features({"shape": [8, 8, 1], "digest": "x"}))
    metrics = (GanTest(), ClassShares(), InceptionScore(), Kid())
    jury = Jury.of(Generation(), digits.data, metrics=metrics, features=Inception())
    jury = replace(jury, baselines=(), classifiers=(Classifier(width=8, features=32, epochs=8),))
    rows = digits.splits.select
    judged = Judged(lambda n: Specimens(digits.data.items[rows[:n]], digits.columns(rows[:n])), lambda side: None)
    found = evaluate(judged, digits, jury)
    values = {row.name: row.value for row in found.rows}
    assert values["gan-test-accuracy"] > 0.85
    assert values["label-agreement[classifier]"] == pytest.approx(values["gan-test-accuracy"])
    assert "kid[inception]" in values
    assert found.protocol["classifier_accuracy"] > 0.8
    # Its own classes are what the published score is made of; features without any say so.
    assert "know no classes" in found.refused["inception-score"]
    unlabelled = replace(digits, data=replace(digits.data, attributes={}), conditions=None)
    plain = Judged(lambda n: Specimens(digits.data.items[rows[:n]]), lambda side: None)
    assert "no labels" in evaluate(plain, unlabelled, jury).refused["gan-test"]


def pretrained_features(facts):
    from sparring.metrics.features import FittedFeatures

    return FittedFeatures(Inception(), facts, _Narrow())


# DINOv2


def test_the_tensors_of_dinov2_are_those_of_the_published_file():
    shapes = {name: tuple(value.shape) for name, value in VisionTransformer(384, 6).state_dict().items()}
    assert len(shapes) == 4 + 1 + 12 * 14 + 2
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == 22_056_576
    for name, shape in {
        "cls_token": (1, 1, 384),
        "pos_embed": (1, 1370, 384),
        "mask_token": (1, 384),
        "patch_embed.proj.weight": (384, 3, 14, 14),
        "blocks.0.attn.qkv.weight": (1152, 384),
        "blocks.11.ls2.gamma": (384,),
        "blocks.5.mlp.fc1.bias": (1536,),
        "norm.weight": (384,),
    }.items():
        assert shapes[name] == shape


def test_a_block_equals_that_of_torch():
    torch.manual_seed(0)
    ours = dinov2._Block(24, 3)
    rival = torch.nn.TransformerEncoderLayer(24, 3, 96, 0.0, "gelu", 1e-6, batch_first=True, norm_first=True)
    names = {
        "self_attn.in_proj_weight": "attn.qkv.weight",
        "self_attn.in_proj_bias": "attn.qkv.bias",
        "self_attn.out_proj.weight": "attn.proj.weight",
        "self_attn.out_proj.bias": "attn.proj.bias",
        **{f"linear{i}.{kind}": f"mlp.fc{i}.{kind}" for i in (1, 2) for kind in ("weight", "bias")},
        **{f"norm{i}.{kind}": f"norm{i}.{kind}" for i in (1, 2) for kind in ("weight", "bias")},
    }
    state = ours.state_dict()
    rival.load_state_dict({theirs: state[mine] for theirs, mine in names.items()})
    tokens = torch.randn(2, 5, 24)
    assert torch.allclose(ours(tokens), rival.eval()(tokens), atol=1e-5)
    ours.ls1["gamma"].data.zero_()
    ours.ls2["gamma"].data.zero_()
    assert torch.equal(ours(tokens), tokens)


def test_a_file_of_its_names_is_loaded_and_describes_pictures(tmp_path):
    torch.manual_seed(0)
    network = VisionTransformer(384, 6)
    torch.nn.init.normal_(network.pos_embed)
    save_file(network.state_dict(), tmp_path / "own.safetensors")
    fitted = Dinov2(weights=str(tmp_path / "own.safetensors")).fit(PICTURES, None, 0)
    assert fitted(PICTURES[:2]).shape == (2, 384)
    assert fitted.part.title("frechet", fitted.facts) is None
    assert network._positions(37, 37).shape == (1, 1369, 384)
    assert network._positions(16, 16).shape == (1, 256, 384)


def test_pictures_are_standardised_by_imagenet():
    white = np.full((1, 30, 40, 1), 255, np.uint8)
    found = Dinov2().prepare(white, {})
    assert found.shape == (1, 3, 224, 224)
    expected = (1 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
    assert found[0, :, 100, 100].numpy() == pytest.approx(expected, rel=1e-5)
