from abc import abstractmethod
from typing import Any, ClassVar, Literal

import pytest
from pydantic import Field

from sparring.errors import (
    RequestError,
)
from sparring.part import Part, walk


class Spice(Part):
    """A kind of the user's own."""

    kind: ClassVar[str] = "spice"

    @abstractmethod
    def taste(self) -> str:
        """What it tastes of."""


class Salt(Spice):
    """Salt."""

    grams: float = Field(1.0, ge=0, le=100, description="how much")
    coarse: bool = Field(False, description="whether it is coarse")

    def taste(self) -> str:
        return "salty"


class BlackPepper(Spice):
    """Pepper."""

    grams: float = Field(0.5, ge=0, description="how much")
    mill: Literal["wood", "steel", "8"] = Field("wood", description="what it is ground with")

    def taste(self) -> str:
        return "hot"


class HTTPServed2Go(Spice):
    """A name with an abbreviation and a number."""

    label: str = Field(description="what stands on the box")

    def taste(self) -> str:
        return self.label


class Soup(Part):
    """A part with parts."""

    kind: ClassVar[str] = "soup"
    main: Spice = Field(Salt(), description="the spice")
    spices: tuple[Spice, ...] = Field((Salt(), BlackPepper()), description="more of them")
    twice: tuple[Spice, ...] = Field((Salt(), Salt(grams=2)), description="two of the same name")
    days: tuple[int, ...] = Field((1, 2), description="when it is served")
    title: str = Field("soup", description="what it is called")
    note: str | None = Field(None, description="a remark")
    guests: dict[str, Spice] = Field({}, description="who takes what")
    ladles: list[int] = Field(default_factory=lambda: [3], description="a default that is made")


class Dinner(Part):
    """A part two levels deep."""

    kind: ClassVar[str] = "dinner"
    soup: Soup = Field(Soup(), description="the first course")
    title: str = Field("dinner", description="what it is called")


def one_line(refusal: pytest.ExceptionInfo) -> str:
    message = str(refusal.value)
    assert message.splitlines() == [message]
    assert len(message) < 1000
    return message


def test_names_are_made_from_the_names_of_classes():
    names = {Salt: "salt", BlackPepper: "black-pepper", HTTPServed2Go: "http-served2-go"}
    assert {part: part.name for part in names} == names
    from sparring.penalties import R1, GradientPenalty, LeCam

    assert (R1.name, GradientPenalty.name, LeCam.name) == ("r1", "gradient-penalty", "lecam")


def test_a_users_own_part_is_found_without_being_registered():
    from sparring.losses import AdversarialLoss

    class OwnLoss(AdversarialLoss):
        """A loss of the user's own."""

        def discriminator(self, real, fake, target=None):
            return fake[0].value.mean()

        def generator(self, real, fake):
            return -fake[0].value.mean()

    assert AdversarialLoss.find("own-loss") is OwnLoss
    assert Spice.find("black-pepper") is BlackPepper
    assert Dinner().override("soup.main=black-pepper").soup.main == BlackPepper()
    from sparring.games.latent import Latent

    assert isinstance(Latent().override("loss=own-loss").loss, OwnLoss)
    OwnLoss.__abstractmethods__ = frozenset({"withdrawn"})  # so that it joins no contract test of another file


def test_the_nearest_name_is_offered():
    with pytest.raises(RequestError) as refusal:
        Spice.find("black-peper")
    assert one_line(refusal) == (
        "no spice is called 'black-peper' (did you mean 'black-pepper'?); there are black-pepper, http-served2-go, salt"
    )


def test_a_part_that_must_be_told_something_says_so():
    with pytest.raises(RequestError) as refusal:
        Dinner().override("main=http-served2-go")
    assert one_line(refusal) == "http-served2-go.label must be given"


def test_a_part_is_read_from_itself_its_name_or_its_json():
    for form in (BlackPepper(), "black-pepper", {"part": "black-pepper"}, BlackPepper().to_json()):
        assert Soup(main=form).main == BlackPepper()


def test_a_part_of_a_final_type_needs_no_name():
    assert Dinner(soup={"title": "broth"}).soup == Soup(title="broth")
    assert Dinner.from_json({"soup": {"part": "soup", "title": "broth"}}) == Dinner(soup=Soup(title="broth"))


@pytest.mark.parametrize("wrong", [3, None, [1], Soup(), object(), {}, {"grams": 1}, {"part": "salt", "grams": "x"}])
def test_what_is_no_part_of_the_kind_is_refused_in_one_line(wrong):
    for read in (lambda: Soup(main=wrong), lambda: Spice.from_json(wrong)):
        with pytest.raises(RequestError) as refusal:
            read()
        one_line(refusal)


def test_every_field_is_in_the_json_down_to_the_last_part():
    assert Dinner().to_json()["soup"]["spices"] == [
        {"part": "salt", "grams": 1.0, "coarse": False},
        {"part": "black-pepper", "grams": 0.5, "mill": "wood"},
    ]


def test_a_changed_part_is_validated_and_the_old_one_is_kept():
    salt = Salt()
    assert salt.but(grams=3) == Salt(grams=3)
    assert salt == Salt()
    with pytest.raises(RequestError, match=r"^salt\.grams = -1: input should be greater than or equal to 0$"):
        salt.but(grams=-1)


@pytest.mark.parametrize(
    ("assignment", "path", "expected"),
    [
        ("soup.title=x", "soup.title", "x"),
        ("title=x", "title", "x"),
        ("main.grams=2", "soup.main.grams", 2.0),
        ("grams=2", "soup.main.grams", 2.0),
        ("soup.main=black-pepper", "soup.main", BlackPepper()),
        ('main={"part": "salt", "grams": 4}', "soup.main", Salt(grams=4)),
        ("spices.salt.grams=2", "soup.spices", (Salt(grams=2), BlackPepper())),
        ("spices.1.grams=2", "soup.spices", (Salt(), BlackPepper(grams=2))),
        ("soup.spices.1.mill=8", "soup.spices", (Salt(), BlackPepper(mill="8"))),
        ("mill=steel", "soup.spices", (Salt(), BlackPepper(mill="steel"))),
        ("spices.salt=black-pepper", "soup.spices", (BlackPepper(), BlackPepper())),
        ("twice.1.grams=9", "soup.twice", (Salt(), Salt(grams=9))),
        ("spices=salt,black-pepper,salt", "soup.spices", (Salt(), BlackPepper(), Salt())),
        ("spices=salt", "soup.spices", (Salt(),)),
        ("spices=", "soup.spices", ()),
        ("spices=[]", "soup.spices", ()),
        ("days=3, 4,5", "soup.days", (3, 4, 5)),
        ("days=7", "soup.days", (7,)),
        ("days=[7, 8]", "soup.days", (7, 8)),
        ("days.0=9", "soup.days", (9, 2)),
        ("note=none", "soup.note", None),
        ("note=null", "soup.note", None),
        ("note=2024", "soup.note", "2024"),
        ("note=007", "soup.note", "007"),
        ("note=NaN", "soup.note", "NaN"),
        ('note="quoted"', "soup.note", "quoted"),
        ("note=a=b", "soup.note", "a=b"),
        ("note={age}_{name}_*", "soup.note", "{age}_{name}_*"),
        ("note=one,two", "soup.note", "one,two"),
        ("note=  blanks around  ", "soup.note", "blanks around"),
        ("note=", "soup.note", ""),
        ("soup.guests.anna=black-pepper", "soup.guests", {"anna": BlackPepper()}),
        ("main.coarse=true", "soup.main.coarse", True),
        ("ladles=4,5", "soup.ladles", [4, 5]),
    ],
)
def test_an_assignment_changes_one_field(assignment, path, expected):
    changed = Dinner().override(assignment)
    found: Any = changed
    for field in path.split("."):
        found = getattr(found, field)
    assert found == expected
    rest = [(p, v) for p, v in walk(changed) if not ".".join(p).startswith(path) and not path.startswith(".".join(p))]
    before = dict(walk(Dinner()))
    assert all(before[p] == value for p, value in rest)


def test_a_field_of_an_overridden_dictionary_can_be_overridden_again():
    changed = Dinner().override("soup.guests.anna=salt").override("anna.grams=5")
    assert changed.soup.guests == {"anna": Salt(grams=5)}


def test_an_ambiguous_field_is_refused_and_the_whole_path_is_wished():
    soup = Soup(main=HTTPServed2Go(label="box"), twice=())
    with pytest.raises(RequestError) as refusal:
        soup.override("grams=2")
    message = one_line(refusal)
    assert message == "'grams' could mean spices.salt.grams or spices.black-pepper.grams; give the whole path"


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("title", "'title' is not of the form part.field=value"),
        ("=3", "'=3' is not of the form part.field=value"),
        ("", "'' is not of the form part.field=value"),
        ("titel=x", "no field is called 'titel' (did you mean 'title'?)"),
        ("soup..title=x", "no field is called 'soup..title'"),
        ("main.grams=-1", "salt.grams = -1: input should be greater than or equal to 0"),
        ("main.grams=much", "salt.grams = 'much': input should be a valid number"),
        ("main.grams=none", "salt.grams = None: input should be a valid number"),
        ("spices.1.mill=wod", "black-pepper.mill = 'wod': input should be 'wood', 'steel' or '8'"),
        ("main=peper", "no spice is called 'peper'"),
        ("spices=salt,peper", "no spice is called 'peper'"),
        ("days=1,x", "soup.days.1 = 'x': input should be a valid integer"),
        ("spices.7.grams=1", "no field is called 'spices.7.grams'"),
        ("main.grams=" + "9" * 5000, "salt.grams = "),
        ("days=" + "[" * 100_000, "soup.days.0 = "),
    ],
)
def test_a_wrong_assignment_is_refused_with_the_reason(assignment, said):
    with pytest.raises(RequestError) as refusal:
        Dinner().override(assignment)
    assert said in one_line(refusal)


def test_a_part_shows_what_differs_from_its_defaults():
    assert str(Salt()) == "salt"
    assert str(Salt(grams=2)) == "salt(grams=2.0)"
    assert str(Salt(grams=0.1 + 0.2)) == "salt(grams=0.3)"
    assert str(Soup()) == "soup"
    assert str(Soup(spices=(Salt(), Salt(grams=2)), note="x")) == "soup(spices=(salt, salt(grams=2.0)), note=x)"


def test_a_field_is_described_with_its_type_default_and_meaning():
    described = {f.name: f for f in Soup.describe()}
    assert described["main"] == ("main", "spice", "salt", "the spice")
    assert described["note"][1:3] == ("str | none", "none")
    assert described["ladles"].default == "(3)"
    assert HTTPServed2Go.describe()[0].default == ""


def test_walking_comes_to_shallow_fields_before_deep_ones():
    depths = [len(path) for path, _ in walk(Dinner())]
    assert depths == sorted(depths)
    assert (("soup", "spices", "black-pepper", "mill"), "wood") in walk(Dinner())
