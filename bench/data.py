"""Customer files of any size, the same on every machine: nothing but the seed decides."""

import random
from collections.abc import Iterator
from datetime import date, timedelta
from importlib.resources import files
from pathlib import Path

FOLDER = Path(__file__).parent / "data"
SEED = 20_261_123
HEADER = "full_name,email,date_of_birth,timezone\n"
FIRST_NAMES = [
    "Alice",
    "Bob",
    "Carol",
    "David",
    "Eve",
    "Frank",
    "Grace",
    "Heidi",
    "Ivan",
    "Judy",
    "Mallory",
    "Niaj",
    "Olivia",
    "Peggy",
    "Rupert",
    "Sybil",
]
FOREIGN_NAMES = ["Zoë", "José", "Müller", "Łukasz", "Мария", "山田太郎"]
FIRST_DAY = date(1940, 1, 1)
DAYS = 24_000


def clean_rows(count: int, *, name_suffix: str = "") -> Iterator[tuple[str, str, str, str]]:
    """Valid rows with distinct e-mails over 200 domains, 5 % of the names not ASCII."""
    chance = random.Random(SEED)
    zones = [name for name in files("tzdata").joinpath("zones").read_text().split() if "/" in name]
    for number in range(count):
        first = chance.choice(FOREIGN_NAMES) if chance.random() < 0.05 else chance.choice(FIRST_NAMES)
        email = f"customer.{chance.randrange(1_000_000)}.{number}@mail{number % 200}.example.com"
        day = FIRST_DAY + timedelta(days=chance.randrange(DAYS))
        yield f"{first} Martin{name_suffix}", email, day.isoformat(), chance.choice(zones)


def write_fresh(path: Path, count: int) -> None:
    """A realistic file: 2 % of the rows invalid, 1 % repeat an e-mail of the file."""
    chance = random.Random(SEED + 1)
    seen: list[str] = []
    with path.open("w", encoding="utf-8") as stream:
        stream.write(HEADER)
        for name, address, day, zone in clean_rows(count):
            dice = chance.random()
            email = address
            if dice < 0.02:
                email = address.replace("@", "(at)")
            elif dice < 0.03 and seen:
                email = chance.choice(seen)
            elif len(seen) < 10_000:
                seen.append(address)
            stream.write(f"{name},{email},{day},{zone}\n")


def write_clean(path: Path, count: int) -> None:
    """Nothing but valid rows."""
    with path.open("w", encoding="utf-8") as stream:
        stream.write(HEADER)
        stream.writelines(",".join(row) + "\n" for row in clean_rows(count))


def write_half_changed(path: Path, count: int) -> None:
    """The clean file with another name in every second row."""
    with path.open("w", encoding="utf-8") as stream:
        stream.write(HEADER)
        for number, (name, *rest) in enumerate(clean_rows(count)):
            stream.write(",".join([name + (" II" if number % 2 else ""), *rest]) + "\n")


def write_invalid(path: Path, count: int) -> None:
    """Nothing but invalid rows, of several kinds."""
    with path.open("w", encoding="utf-8") as stream:
        stream.write(HEADER)
        for number, (name, email, day, zone) in enumerate(clean_rows(count)):
            match number % 4:
                case 0:
                    stream.write(f"{name},{email.replace('@', '(at)')},{day},{zone}\n")
                case 1:
                    stream.write(f"{name},{email},31/12/1990,{zone}\n")
                case 2:
                    stream.write(f",{email},{day},Mars/Base\n")
                case _:
                    stream.write(f"{name},{email},{day}\n")


WRITERS = {
    "fresh": write_fresh,
    "clean": write_clean,
    "half_changed": write_half_changed,
    "invalid": write_invalid,
}


def file_of(kind: str, count: int) -> Path:
    """The file of that kind and size, made if it is not there yet."""
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{kind}-{count}.csv"
    if not path.exists():
        partial = path.with_suffix(".partial")
        WRITERS[kind](partial, count)
        partial.rename(path)
    return path
