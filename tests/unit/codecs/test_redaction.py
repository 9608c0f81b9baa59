"""Redaction: no secret is ever stored, and everything else is as it was."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import attrs
import pytest

import prodigy_storage
from prodigy_storage.adapters.files import FileStorage
from prodigy_storage.adapters.files.layout import INTENTS
from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.codecs.dialects import redacting
from prodigy_storage.codecs.kinds import LEASE, PROBE, QUARANTINE
from prodigy_storage.codecs.redaction import Redactor
from prodigy_storage.codecs.streams import stream
from prodigy_storage.codecs.trees import dump, is_sealed, parse, verify
from prodigy_storage.errors import Corrupt, InvalidValue
from prodigy_storage.model.events import AgentFailed, ClaudeTokenUsage
from prodigy_storage.model.redaction import Redaction
from prodigy_storage.ports.storage import Append, Batch, Check, Delete, Expect, Index, Kind, Put
from prodigy_storage.store import Store

SECRET = 'hunter2/"gehéim\U0001f511'
PLAIN = "sk-live-4242abcd"
REDACTION = Redaction(secrets=[SECRET, PLAIN], names=["*_TOKEN", "*password*"])
NOTE = Kind("note", lambda body: Index(0, {"word": parse(body).get("word", "")}), ("word",))
LINES = stream("lines", time="at")


def masked(text: str) -> str:
    return Redactor(REDACTION).masked(text.encode()).decode()


@pytest.fixture
def memory() -> MemoryStorage:
    return MemoryStorage()


def stored(memory: MemoryStorage, body: bytes, kind: Kind = PROBE) -> bytes:
    """What is stored of a body."""
    redacting(memory, REDACTION).commit(Batch((), [Put(kind, "one", body)]))
    return memory.fetch((), kind, ["one"])["one"].body


class TestRedaction:
    """What may be asked for."""

    def test_a_secret_is_in_no_representation(self):
        """Whoever prints a redaction, or a storage that has one, does not see a secret."""
        assert "hunter2" not in f"{REDACTION!r}{REDACTION}{redacting(MemoryStorage(), REDACTION)!r}"

    @pytest.mark.parametrize("secret", ["abc", " abc ", "", "\ud800abcd"])
    def test_a_secret_that_is_too_short_or_no_text_is_refused_unseen(self, secret):
        """A text that would be everywhere by chance is refused, and not shown."""
        with pytest.raises(InvalidValue) as caught:
            Redaction(secrets=["long enough", secret])
        assert "place 2" in str(caught.value)
        assert "abc" not in str(caught.value)

    @pytest.mark.parametrize("given", [{"secrets": "abcdef"}, {"names": "*x"}, {"names": ["*"]}, {"secrets": [12345]}])
    def test_what_is_no_list_of_texts_or_fits_everything_is_refused(self, given):
        """A text in place of a list would be taken letter by letter."""
        with pytest.raises(InvalidValue):
            Redaction(**given)

    def test_blanks_around_a_secret_are_no_part_of_it(self):
        """A secret that was read from a file with its line break is found without it."""
        assert Redaction(secrets=["geheim\n"]).secrets == ("geheim",)

    def test_without_anything_to_hide_there_is_no_layer(self, memory):
        """The path of a write is the same as ever if no redaction is asked for, or an empty one."""
        assert redacting(memory, None) is memory
        assert redacting(memory, Redaction()) is memory


class TestText:
    """Masking one JSON text."""

    @pytest.mark.parametrize(
        "spelling",
        [
            json.dumps(PLAIN),
            '"' + "".join(f"\\u{ord(c):04X}" for c in PLAIN) + '"',
            '"\\u0073k-live-\\u0034242abcd"',
            json.dumps(SECRET),
            json.dumps(SECRET, ensure_ascii=False),
            json.dumps(SECRET).replace("/", "\\/"),
            json.dumps(json.dumps(SECRET))[3:-3].join('""'),
            json.dumps(json.dumps(json.dumps(SECRET, ensure_ascii=False)))[7:-7].join('""'),
        ],
    )
    def test_a_secret_is_found_in_each_spelling(self, spelling):
        """Plain, with escapes, partly with escapes, and as JSON in JSON."""
        assert masked(f'{{"a": {spelling}}}') == '{"a": "***"}'
        assert masked(f"{{{spelling}: 1}}") == '{"***": 1}'

    def test_everything_else_keeps_its_text(self):
        """Order, blanks, numbers, escapes and repeated names stay where no secret stands."""
        text = '{ "b":1.50 ,\t"a" : [1e5, "\\u00e9\\/", {"x": 0.0}],\n"a": "%s", "z":-0 }'
        assert masked(text % f"<{PLAIN}>") == text % "<***>"

    @pytest.mark.parametrize(
        "value", ['"x"', "12", "1.5e3", '""', "{}", '[1, {"a": "]}"}, "\\""]', '{"b": {"c": "}"}}']
    )
    def test_a_member_is_masked_for_its_name_whatever_it_holds(self, value):
        """A text, a number, an array and an object become the mask as a whole; what follows stays."""
        for name in ("API_TOKEN", "api_token", "my Password 2", "\\u0070assword"):
            assert masked(f'{{"{name}" : {value} , "next": 1}}') == f'{{"{name}" : "***" , "next": 1}}'

    @pytest.mark.parametrize(
        "text", ['{"has_password":true,"password":null,"x_token":false}', '{"tokens": "password"}']
    )
    def test_what_says_nothing_secret_stays(self, text):
        """Null, true and false stay, and so do values that look like names."""
        assert masked(text) == text

    def test_names_that_hold_different_secrets_stay_different(self):
        """Two members are two members afterwards, also beside one that is called like the mask."""
        names = list(json.loads(masked(f'{{"{PLAIN}":1,{json.dumps(SECRET)}:2,"***":3,"{PLAIN}x":4}}')))
        assert names == ["*** (2)", "*** (3)", "***", "***x"]

    def test_what_is_left_is_masked_again(self):
        """If masking brings the parts of a secret together, it is not left there."""
        redactor = Redactor(Redaction(secrets=["abcd", "x***y", "***z"]))
        assert redactor.masked(b'["xabcdy", "abcdz", "abxabcdycd"]') == b'["***", "***", "ab***cd"]'

    @pytest.mark.parametrize("text", [f"plain {PLAIN}", f'{{"a": "{PLAIN}', f'{{"a": {PLAIN}}} "x', f"\udcff{PLAIN}\\"])
    def test_what_is_no_json_is_masked_too(self, text):
        """Nothing that is stored holds the secret, whatever it is."""
        data = text.encode(errors="surrogateescape")
        assert Redactor(REDACTION).masked(data) == data.replace(PLAIN.encode(), b"***")

    def test_the_signature_of_an_error_keeps_no_part_of_a_secret(self):
        """Signatures have placeholders for numbers; the secret is known in that form too."""
        redactor = Redactor(Redaction(secrets=["geheim-12-wort"]))
        assert redactor.masked(b'{"s": "login geheim-<n>-wort failed"}') == b'{"s": "login *** failed"}'

    @pytest.mark.parametrize("secret", ["geheim", '"geheim', "\\\\ge\\heim", 'x\\"heim', "\u0061geheim\\"])
    def test_long_runs_of_backslashes_are_no_burden(self, secret):
        """A text of many backslashes, which any program may print, is searched in one go."""
        redactor = Redactor(Redaction(secrets=[secret]))
        lines = "x" + "\\" * 400_000 + "u0061"
        found = json.loads(redactor.masked(json.dumps([lines, f"<{secret}>"]).encode()))
        assert found == [lines, "<***>"]

    def test_half_of_a_surrogate_pair_beside_a_secret_survives(self):
        """What other programs write stays readable."""
        assert masked(f'["\\ud800 {PLAIN}"]') == '["\\ud800 ***"]'


class TestCommit:
    """Masking what is committed."""

    def test_a_document_of_ours_is_sealed_anew(self, memory):
        """The checksum holds for what is stored, in either form."""
        for pretty in (True, False):
            body = stored(memory, dump({"a": PLAIN, "n": 1}, pretty=pretty))
            assert is_sealed(verify(body))
            assert body == dump({"a": "***", "n": 1}, pretty=pretty)

    def test_a_document_of_others_gets_no_checksum(self, memory):
        """It stays theirs."""
        assert stored(memory, b'{"a":"%s"}\n' % PLAIN.encode()) == b'{"a":"***"}\n'

    def test_a_wrong_checksum_stays_wrong(self, memory):
        """Damage that is put aside is masked, and is not taken for sound afterwards."""
        damaged = dump({"a": PLAIN, "n": 1}).replace(b'"n": 1', b'"n": 2')
        body = stored(memory, damaged, QUARANTINE)
        assert body == damaged.replace(PLAIN.encode(), b"***")
        with pytest.raises(Corrupt):
            verify(body)

    def test_records_are_masked_line_by_line(self, memory):
        """Every record stays one line, and those without a secret keep their bytes."""
        data = b'{"at":1, "x":"\\u0041"}\n{"at":2,"x":"%s"}\n{"at":3,"db_password":5}\n' % PLAIN.encode()
        redacting(memory, REDACTION).commit(Batch(("r",), [Append(LINES, data)]))
        found = memory.records(("r",), LINES).data
        assert found == b'{"at":1, "x":"\\u0041"}\n{"at":2,"x":"***"}\n{"at":3,"db_password":"***"}\n'

    @pytest.mark.parametrize(
        "batch",
        [
            Batch((), [Put(PROBE, f"a-{PLAIN}", b"{}")]),
            Batch((PLAIN,), [Put(PROBE, "a", b"{}")]),
            Batch(("r", PLAIN), [Append(LINES, b'{"at":1}\n')]),
            Batch((), [Put(NOTE, "a", b'{"word":"%s"}' % PLAIN.encode())]),
            Batch(("r",), [Append(stream("odd", time="my_password"), b'{"my_password":5}\n')]),
        ],
        ids=["id", "project", "job", "tag", "time"],
    )
    def test_a_secret_in_what_something_is_found_by_is_refused(self, memory, batch):
        """The error does not show the secret, and nothing of the batch is stored."""
        other = Batch(batch.scope, [*batch.operations, Put(PROBE, "other", b"{}")])
        with pytest.raises(InvalidValue) as caught:
            redacting(memory, REDACTION).commit(other)
        assert PLAIN not in f"{caught.value!r}{caught.value.hint}"
        assert not memory.fetch(batch.scope, PROBE, ["other"])

    def test_what_is_there_under_a_secret_name_can_be_removed(self, memory):
        """A store that was filled before the redaction can be rid of it."""
        _ = memory.commit(Batch((), [Put(PROBE, PLAIN, b"{}")]))
        _ = redacting(memory, REDACTION).commit(Batch((), [Delete(PROBE, PLAIN)]))
        _ = redacting(memory, REDACTION).commit(Batch((), [Check(PROBE, PLAIN, Expect.ABSENT)]))
        assert not memory.fetch((), PROBE, [PLAIN])

    def test_documents_that_the_machine_needs_are_masked_for_no_name(self, memory):
        """A pattern that fits a member of a lease does not make the lock unreadable."""
        body = dump({"epoch": 1, "acquired_at": 5, "owner": {"writer": PLAIN}})
        redacting(memory, Redaction(secrets=[PLAIN], names=["*owner*"])).commit(Batch((), [Put(LEASE, "one", body)]))
        assert parse(memory.fetch((), LEASE, ["one"])["one"].body)["owner"] == {"writer": "***"}

    def test_nothing_is_taken_apart_without_reason(self, memory):
        """The very bytes of a batch without a secret reach the backend, even if they are no JSON."""
        body = b'{"a": 1,, "tokens": "\\n"'
        assert stored(memory, body) is body


def nowhere(root: Path) -> None:
    """Assert that no file below holds a part of a secret."""
    paths = [path for path in root.rglob("*") if path.is_file()]
    assert paths
    for path in paths:
        data = path.read_bytes()
        assert not any(part in data for part in (b"hunter2", b"sk-live", b"geh", b"Passwort")), path


def work(store: Store) -> str:
    """A run with secrets in all that a user says; the session's id."""
    items = {"a": {"id": "a", "key": SECRET}, "b": PLAIN, "c": 3}
    with store.runs.start("shop", items=items, metadata={SECRET: PLAIN, "x_token": "Passwort"}) as run:
        for attempt in run.attempts():
            with attempt:
                attempt.result = {"said": f"{SECRET} and {PLAIN}", "db_password": {"x": "Passwort"}}
                if attempt.item_id == "b":
                    raise ValueError(json.dumps({"with": SECRET, "and": PLAIN}))
        run.log(AgentFailed(run.setup.job_id, "agent-9", f"no {SECRET}", retry_eligible=False), API_TOKEN="Passwort")
        run.log(ClaudeTokenUsage("agent-9", 1, 2, 3), text=PLAIN)
    return run.setup.session_id


class TestStores:
    """Whole stores that have secrets to hide."""

    @pytest.mark.parametrize("dialect", ["documented", "prodigy-0.4"])
    def test_no_file_of_a_store_holds_a_secret(self, tmp_path, dialect):
        """Items, results, messages, stack traces, metadata, events and logs are masked, and all of it is readable."""
        settings = {"dialect": dialect, "enable_cache": True}
        hidden = attrs.evolve(REDACTION, names=[*REDACTION.names, "*token*"])
        with prodigy_storage.open(tmp_path, settings=settings, redaction=hidden) as store:
            session = work(store)
            store.logs.start("shop").write(f"using {PLAIN}", detail=SECRET, x_token="Passwort")  # to be masked
            (letter,) = store.dlq.list("shop").values
            events = [
                record.event for record in store.events.query() if record.event.event_type == "claude_token_usage"
            ]
            (log,) = store.logs.read(store.logs.list(), on_damage=pytest.fail)
            assert (letter.item_id, letter.item_data) == ("b", "***")
            assert letter.error_message == 'ValueError: {"with": "***", "and": "***"}'
            assert [(event.input_tokens, event.cache_tokens) for event in events] == [(1, 3)]
            assert (log.message, log.fields) == ("using ***", {"detail": "***", "x_token": "***"})
            assert store.sessions.get(session).id == session
        nowhere(tmp_path)

    def test_a_job_works_on_what_is_stored(self, tmp_path):
        """A run gives its items with the mask in them from the beginning, not only when it is resumed."""
        with prodigy_storage.open(tmp_path, redaction=REDACTION) as store:
            with store.runs.start("shop", items={"a": {"key": PLAIN}, "b": 1}) as run:
                first = run.claim()
                assert first is not None
                assert first.item == {"key": "***"}
                run.give_back(first)
                run.pause()
            with store.runs.resume(run.setup.session_id) as again:
                assert [item.data for item in again.setup.items] == [{"key": "***"}, 1]
        nowhere(tmp_path)

    @pytest.mark.parametrize("hidden", [REDACTION, Redaction(names=["id"])])
    def test_items_are_never_mixed_up(self, tmp_path, hidden):
        """Ids of items stand inside checkpoints; one with a secret is refused, unseen, as two could become one."""
        with prodigy_storage.open(tmp_path, redaction=hidden) as store, pytest.raises(InvalidValue) as caught:
            store.runs.start("shop", items={PLAIN: 1, f"{PLAIN}2": 2})
        assert PLAIN not in f"{caught.value!r}"

    def test_a_record_of_progress_keeps_its_item(self, tmp_path):
        """A pattern that fits what says the item is refused with the first record, which is not stored."""
        with prodigy_storage.open(tmp_path, redaction=Redaction(names=["item"])) as store:
            run = store.runs.start("shop", items={"a": 1})
            attempt = run.claim()
            assert attempt is not None
            with pytest.raises(InvalidValue, match="its item"):
                run.complete(attempt, 1)

    def test_no_plan_of_a_batch_holds_a_secret_when_its_writer_is_killed(self, tmp_path):
        """Masking comes before the backend: what a killed writer leaves behind to be finished is masked already."""
        done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
        assert done.returncode == -signal.SIGKILL
        plans = [path.read_bytes() for path in (tmp_path / INTENTS).iterdir()]
        assert any(b'{"at":1,"x":"***"' in plan for plan in plans)
        nowhere(tmp_path)
        with closing(FileStorage(tmp_path)) as storage:
            assert storage.fetch(("r",), PROBE, ["a"])["a"].body == b'{"a":"***"}'

    def test_copies_and_backups_are_masked_and_may_be_repeated(self, tmp_path):
        """What comes from a store without redaction is stored masked, and is known when it comes again."""
        with prodigy_storage.open("memory:") as source, prodigy_storage.open(tmp_path, redaction=REDACTION) as target:
            work(source)
            first = source.transfers.copy_to(target.storage)
            again = source.transfers.copy_to(target.storage)
            assert (first.copied, first.differing, first.damage) == (again.same, [], [])
            assert (again.copied, again.records, again.known) == (0, 0, first.records)
        nowhere(tmp_path)

    def test_checkpoints_are_imported_masked_and_may_be_again(self):
        """An exported file with secrets is stored without them; the second import finds everything there."""
        with prodigy_storage.open("memory:") as source, prodigy_storage.open("memory:", redaction=REDACTION) as target:
            work(source)
            ((repo, job),) = source.checkpoints._scopes(None, None)
            lines = list(source.checkpoints.export(repo, job))
            written = target.checkpoints.import_lines(lines).written
            assert target.checkpoints.import_lines(lines).present == sorted(written) != []
            assert not any(PLAIN.encode() in line for line in target.checkpoints.export(repo, job))


KILLED = f"""
import os, signal, sys
from prodigy_storage.adapters.files import FileStorage, intents
from prodigy_storage.codecs.dialects import redacting
from prodigy_storage.codecs.kinds import PROBE
from prodigy_storage.codecs.streams import stream
from prodigy_storage.model.redaction import Redaction
from prodigy_storage.ports.storage import Append, Batch, Put

intents.apply = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
storage = redacting(FileStorage(sys.argv[1]), Redaction(secrets=[{PLAIN!r}]))
lines = Append(stream("lines", time="at"), b'{{"at":1,"x":"{PLAIN}"}}\\n')
storage.commit(Batch(("r",), [Put(PROBE, "a", b'{{"a":"{PLAIN}"}}'), Put(PROBE, "b", b'{{"b":"{PLAIN}"}}'), lines]))
"""
