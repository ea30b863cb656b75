"""The log: what was answered is there after a restart, what was torn is not."""

from pathlib import Path

from sandbox.log import NAME, Log
from sandbox.store import Store, Transaction


def reopened(folder: Path) -> Store:
    store, log = Store(), Log(folder)
    log.open(store)
    log.close()
    return store


def written(folder: Path) -> None:
    store, log = Store(), Log(folder)
    log.open(store)
    for number in range(3):
        tx = Transaction(store)
        tx.insert("acct", "customer", {"id": f"cus_{number}", "name": "A"})
        if number == 2:
            tx.edit("acct", "customer", "cus_0")["name"] = "B"
            tx.delete("acct", "customer", "cus_1")
        record = tx.commit()
        assert record is not None
        log.append(record)
    log.close()


def test_changes_and_deletions_are_read_back_in_order(tmp_path: Path) -> None:
    written(tmp_path)
    expected = [{"id": "cus_0", "name": "B"}, {"id": "cus_2", "name": "A"}]
    assert list(reopened(tmp_path).table("acct", "customer").values()) == expected
    assert list(reopened(tmp_path).table("acct", "customer").values()) == expected


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    written(tmp_path)
    path = tmp_path / NAME
    path.write_bytes(path.read_bytes()[:-5])
    assert list(reopened(tmp_path).table("acct", "customer")) == ["cus_0", "cus_1"]


def test_an_undone_transaction_leaves_objects_and_order_as_they_were(tmp_path: Path) -> None:
    written(tmp_path)
    store = reopened(tmp_path)
    tx = Transaction(store)
    tx.edit("acct", "customer", "cus_0")["name"] = "C"
    tx.delete("acct", "customer", "cus_0")
    tx.insert("acct", "customer", {"id": "cus_9"})
    tx.rollback()
    assert list(store.table("acct", "customer").values()) == [
        {"id": "cus_0", "name": "B"},
        {"id": "cus_2", "name": "A"},
    ]
