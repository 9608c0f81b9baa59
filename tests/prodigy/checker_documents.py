"""Documents that are strange in one way each: those that the real program takes, and those that it does not."""

from __future__ import annotations

import json

from .checker_samples import SAMPLES


def record(**members):
    """An event record as bytes, with some members replaced; text is taken as it is."""
    sample = {name: json.dumps(value) for name, value in SAMPLES["event-record"].items()}
    sample |= {name: value if isinstance(value, str) else json.dumps(value) for name, value in members.items()}
    return f"{{{','.join(f'{json.dumps(name)}:{value}' for name, value in sample.items())}}}".encode()


def deep(levels):
    return "[" * levels + "]" * levels


TAKEN = {
    "unknown members, whatever they hold": record(_seq="7", _store=f'{{"a":{deep(300)},"b":"\\ud800","c":1e400}}'),
    "an unknown member twice": record(_a="1").replace(b"}}", b'},"_b":1,"_b":2}', 1),
    "blanks around": b" \t\r" + record() + b" \n",
    "125 levels inside metadata": record(metadata=f'{{"k":{deep(125)}}}'),
    "a record as an array": json.dumps(list(SAMPLES["event-record"].values())).encode(),
    "an event as an array": record(event=json.dumps(list(SAMPLES["event-record"]["event"].values()))),
    "a tag behind the members": record(event='{"job_id":"j","error":"e","event_type":"checkpoint_failed"}'),
    "a key twice inside metadata": record(metadata='{"k":1,"k":2}'),
    "an integer beyond 64 bits inside metadata": record(metadata='{"k":18446744073709551616}'),
    "a proper pair of surrogates": record(correlation_id='"\\ud83d\\ude00\\u0000\\/"'),
    "raw characters above the controls": record(correlation_id='"\x7f\x85\u2028"'),
    "a UUID in upper case": record(id='"0A1B2C3D-4E5F-4A6B-8C7D-9E0F1A2B3C4D"'),
    "a UUID without hyphens": record(id='"0a1b2c3d4e5f4a6b8c7d9e0f1a2b3c4d"'),
    "a UUID in braces": record(id='"{0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d}"'),
    "a UUID as URN": record(id='"urn:uuid:0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d"'),
}

REFUSED = {
    "nothing": (b"", "document: no JSON at character 0"),
    "a mark before the document": ("\ufeff".encode() + record(), "document: no JSON at character 0"),
    "bytes that are no UTF-8": (record(correlation_id='"x"').replace(b'"x"', b'"\xff"'), "document: not UTF-8 at byte"),
    "a second document": (record() + record(), "document: something follows at character"),
    "a cut-off document": (record()[:-1], "document: no JSON at character"),
    "a comma too many": (record()[:-1] + b",}", "document: no key at character"),
    "a missing comma": (b'{"a":1 "b":2}', "document: no ',' before character"),
    "a missing colon": (b'{"a" 1}', "document: no ':' before character"),
    "a key that is no text": (b"{1:2}", "document: no key at character"),
    "a closing mark instead of a value": (b"[}", "document: no value before character 2"),
    "a comment": (b"/**/" + record(), "document: no JSON at character 0"),
    "single quotes": (b"{'a':1}", "document: no JSON at character 1"),
    "a leading zero": (record(_x="01"), "document: no ',' before character"),
    "a plus sign": (record(_x="+1"), "document: no JSON at character"),
    "no digit after the point": (record(_x="1."), "document: no JSON at character"),
    "no digit before the point": (record(_x=".5"), "document: no JSON at character"),
    "NaN": (record(_x="NaN"), "document: no JSON at character"),
    "a raw control character": (record(_x='"\x01"'), "document: no JSON at character"),
    "an unknown escape": (record(_x='"\\x"'), "document: no JSON at character"),
    "a lone surrogate": (record(correlation_id='"\\udc00"'), "correlation_id: a lone surrogate"),
    "a lone surrogate in a key": (record(metadata='{"\\ud800":1}'), "metadata: a lone surrogate in a key"),
    "126 levels inside metadata": (record(metadata=f'{{"k":{deep(126)}}}'), "nested more than 127 levels deep"),
    "an unknown member of an event that is nested too deep": (
        record(event=f'{{"event_type":"checkpoint_failed","job_id":"j","error":"e","x":{deep(127)}}}'),
        "nested more than 127 levels deep",
    ),
    "1e400 inside metadata": (record(metadata='{"k":1e400}'), "metadata.k: 1e400 is too large"),
    "no tag": (record(event='{"job_id":"j"}'), "event.event_type: missing"),
    "two tags": (
        record(event='{"event_type":"job_failed","event_type":"job_failed"}'),
        "event.event_type: a second time",
    ),
    "an unknown tag": (record(event='{"event_type":"dlq_item_added"}'), "event.event_type: unknown"),
    "a tag in Pascal case": (record(event='{"event_type":"JobFailed"}'), "event.event_type: unknown"),
    "a tag that is no text": (record(event='{"event_type":1}'), "event.event_type: number instead of text"),
    "an empty array as event": (record(event="[]"), "event: empty"),
    "an array with too many elements": (
        json.dumps([*SAMPLES["event-record"].values(), 1]).encode(),
        "document: too many elements",
    ),
    "an array with too few elements": (b"[]", "id: missing"),
    "no UUID": (record(id='"0a1b"'), "id: no UUID"),
}

TIMES = [
    "2025-03-10T08:15:04Z",
    "2025-03-10T08:15:04.8Z",
    "2025-03-10T08:15:04.81481459199Z",
    "2025-03-10T08:15:04+00:00",
    "2025-03-10T08:15:04-00:00",
    "2025-03-10T10:15:04+02:00",
    "2025-03-10T10:15:04+0200",
    "2025-03-10T10:15:04+23:59",
    "2025-03-10T10:15:04\u221202:00",
    "2025-03-10T08:15:04 +00:00",
    "2025-03-10T08:15:04 Z",
    "2025-03-10 08:15:04Z",
    "2025-03-10   08:15:04Z",
    "2025-03-10t08:15:04z",
    "2025-03-10 08:15:04 UTC",
    "2025-3-10T8:15:4Z",
    " 2025-03-10T08:15:04Z ",
    "2025-03-10T23:59:60Z",
    "0000-01-01T00:00:00Z",
    "-0001-01-01T00:00:00Z",
    "+10000-01-01T00:00:00Z",
]
NO_TIMES = [
    "2025-03-10T08:15:04",
    "2025-03-10T08:15:04+02",
    "2025-03-10T08:15:04+24:00",
    "2025-03-10",
    "2025-03-10T08:15Z",
    "20250310T081504Z",
    "2025-03-10_08:15:04Z",
    "2025-03-10T08:15:04.Z",
    "2025-03-10T08:15:04,5Z",
    "2025-03-10T24:00:00Z",
    "2025-03-10T08:15:61Z",
    "2025-02-29T08:15:04Z",
    "10000-01-01T00:00:00Z",
    "Mon, 10 Mar 2025 08:15:04 +0000",
    "",
]
PAIRS = ["[1,0]", "[-1,500000000]", "[-9223372036854776,193000000]", "[9223372036854775,807000000]"]
NO_PAIRS = [
    '{"secs":1,"nanos":0}',
    "1",
    '"1s"',
    "null",
    "[1]",
    "[1,0,0]",
    "[0,-1]",
    "[1,1000000000]",
    "[1.0,0]",
    '["1",0]',
    "[-9223372036854776,192999999]",
    "[9223372036854775,807000001]",
]
SPANS = [
    '{"secs":1,"nanos":0}',
    '{"nanos":0,"secs":1}',
    "[1,0]",
    '{"secs":1,"nanos":1000000000}',
    '{"secs":18446744073709551615,"nanos":999999999}',
]
NO_SPANS = [
    '{"secs":1}',
    '{"secs":1,"nanos":0,"x":1}',
    '{"secs":-1,"nanos":0}',
    '{"secs":18446744073709551615,"nanos":1000000000}',
    '"1s"',
    "1",
    "[1]",
    "[1,0,0]",
    '{"secs":1,"secs":1,"nanos":0}',
]
SPELLED = ["1s", "500ms", "1m 30s", "1h2m", "1.5s", "1 s", "1s 1s", "0s", "2months", "1y", "1day 1h 1m 1s 1ms 2us 3ns"]
UNSPELLED = ["90", "", "-1s", "1x", "s", "600000000000y"]


def with_time(text):
    return record(timestamp=json.dumps(text))


def with_pair(text):
    return record(
        event=f'{{"event_type":"job_completed","job_id":"j","duration":{text},"success_count":1,"failure_count":1}}'
    )


def with_span(text):
    document = json.dumps(SAMPLES["session"])
    return document.replace(json.dumps(SAMPLES["session"]["timings"]["t"]), text).encode()


def with_spelled(text):
    document = json.dumps(SAMPLES["storage-config-json"])
    return document.replace('"1h"', json.dumps(text)).encode()


VALUES = {
    "time": ("event-record", with_time, TIMES, NO_TIMES),
    "pair": ("event-record", with_pair, PAIRS, NO_PAIRS),
    "span": ("session", with_span, SPANS, NO_SPANS),
    "spelled": ("storage-config-json", with_spelled, SPELLED, UNSPELLED),
}
"""By form: the kind of document, how a text becomes one, and the texts that are taken and refused."""
