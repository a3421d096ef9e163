"""`imports undo` takes back what an import did, and nothing that came after it."""

from pathlib import Path

HEADER = "full_name,email,date_of_birth,timezone\n"


def write_file(*rows: str, name: str = "c.csv") -> Path:
    path = Path(name)
    path.write_text(HEADER + "".join(f"{row},1990-01-15,UTC\n" for row in rows))
    return path


def customers(database) -> list[dict[str, object]]:
    return list(database.customers.find().sort("email"))


def test_created_customers_are_deleted_and_changed_ones_are_as_before(run, database) -> None:
    run("load", write_file("Ann,a@x.org", "Bob,b@x.org"))
    before = customers(database)
    run("load", write_file("Anna,a@x.org", "Bob,b@x.org", "Cid,c@x.org", "Cyd,c@x.org"), "--on-duplicate", "update")

    result = run("imports", "undo", "last", "--yes", "--json")

    assert (result.json["deleted"], result.json["restored"], result.json["left"]) == (1, 1, [])
    assert customers(database) == before
    assert run("imports", "show", "last", "--json").json["status"] == "undone"


def test_a_customer_that_was_changed_since_is_left_and_listed(run, database) -> None:
    run("load", write_file("Ann,a@x.org", "Bob,b@x.org"))
    run("customers", "update", "a@x.org", "--full-name", "Anna")

    result = run("imports", "undo", "last", "--yes", "--json", exit_code=5)

    assert [customer["email"] for customer in result.json["left"]] == ["a@x.org"]
    assert [customer["email"] for customer in customers(database)] == ["a@x.org"]


def test_a_change_below_a_later_import_is_left_and_listed(run, database) -> None:
    run("load", write_file("Ann,a@x.org"))
    run("load", write_file("Anna,a@x.org"), "--on-duplicate", "update")
    second = run("imports", "show", "last", "--json").json["import_id"]
    run("load", write_file("Annie,a@x.org"), "--on-duplicate", "update")

    result = run("imports", "undo", second, "--yes", exit_code=5)

    assert "a@x.org" in result.stdout
    assert customers(database)[0]["full_name"] == "Annie"
    run("imports", "undo", "last", "--yes")
    assert customers(database)[0]["full_name"] == "Anna"
    # a customer keeps the values from before its newest change, not those from before the one below
    run("imports", "undo", second, "--yes", exit_code=5)


def test_an_undone_import_may_be_undone_again_and_its_file_loaded_again(run, database) -> None:
    path = write_file("Ann,a@x.org")
    run("load", path)
    run("imports", "undo", "last", "--yes")

    again = run("imports", "undo", "last", "--yes", "--json")
    loaded = run("load", path, "--if-loaded", "refuse")

    assert again.json["deleted"] == 1
    assert "already" not in loaded.stderr
    assert len(customers(database)) == 1


def test_nothing_happens_without_a_yes(run, database) -> None:
    run("load", write_file("Ann,a@x.org"))

    refused = run("imports", "undo", "last", exit_code=5)

    assert "not confirmed" in refused.stderr
    assert len(customers(database)) == 1


def test_an_undone_import_is_not_resumed(run) -> None:
    run("load", write_file("Ann,a@x.org", "Bob,bad"), "--max-rejections", "0", exit_code=4)
    run("imports", "undo", "last", "--yes")

    refused = run("load", "--resume", "last", exit_code=5)

    assert "undone" in refused.stderr
