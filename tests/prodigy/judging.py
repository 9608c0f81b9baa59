"""Talking to the judge, the program of `judge/` that has Prodigy's own types and stores read and write."""

from __future__ import annotations

import json
import os
import subprocess

VARIABLE = "PRODIGY_JUDGE"
JUDGE = os.environ.get(VARIABLE)
ABSENT = f"{VARIABLE} names no judge; `nox -s prodigy` builds one where cargo is installed"


def ask(root, requests):
    """The judge's answers, one for each request, with `root` as Prodigy's home."""
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    done = subprocess.run([JUDGE, "serve", str(root)], input=lines.encode(), capture_output=True, check=False)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    if len(answers) != len(requests):
        raise AssertionError(f"{len(answers)} answers to {len(requests)} requests: {done.stderr.decode()[-2000:]}")
    return answers


class Serving:
    """A judge that stays, for what lasts as long as its process."""

    def __init__(self, root):
        self._process = subprocess.Popen(
            [JUDGE, "serve", str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    @property
    def pid(self):
        return self._process.pid

    def ask(self, **request):
        """One answer."""
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()
