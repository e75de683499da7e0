"""Hooks: what a push has run in a pod, besides: a command of the user's before or behind it, a signal.

What it says comes on stderr, and how it ended in a note behind that (`remote/scripts/hooks.sh`). The pod ends what
takes too long; a pod that doesn't is not waited for.
"""

import anyio

from asynccp.engine.conversation import Conversation
from asynccp.engine.state import TransferState
from asynccp.engine.steps import Step
from asynccp.errors import HookFailed, SessionLost
from asynccp.options import Rollout
from asynccp.remote.hooks import OUTPUT_SIZE, Ran, hook_line, signal_line, words_of
from asynccp.remote.notes import Note
from asynccp.report import HookRun

_PATIENCE_S = 20.0  # beyond the time that it may take, for the pod to end it, and to undo a swap


class Hook:
    """One of them, as an `engine.steps.Step`. when: `before`, `after` or `signal`."""

    def __init__(self, when: str, line: bytes, rollout: Rollout, state: TransferState) -> None:
        self._when = when
        self._line = line
        self._timeout_s = rollout.command_timeout_s
        self._keeps = bool(rollout.backups)
        self._state = state
        self._said = b""
        self._ran: Ran | None = None

    async def run(self, conversation: Conversation) -> None:
        """Raises HookFailed."""
        begun, limit_s = anyio.current_time(), self._timeout_s + _PATIENCE_S
        conversation.extra_stall_s = limit_s
        with anyio.move_on_after(limit_s) as limit, conversation.listening(self._take, self._hear):
            await conversation.send(self._line)
            await conversation.hear_until(lambda: self._ran is not None)
        conversation.extra_stall_s = 0.0
        conversation.record_progress()
        seconds = anyio.current_time() - begun
        if limit.cancelled_caught:
            raise HookFailed(f"{words_of(self._when)} did not end within {limit_s:.0f} s")
        if self._ran is None:
            raise conversation.error() or SessionLost(f"the session ended while {words_of(self._when)} ran")
        run = HookRun(self._when, self._ran.code, round(seconds, 3), self._ran.output(self._said))
        self._state.hooks.append(run)
        if run.exit_code != 0:
            self._state.rolled_back = self._ran.back is True
            raise self._ran.error(run, self._timeout_s, keeps=self._keeps)

    def _take(self, data: bytes) -> None:
        self._said = (self._said + data)[-OUTPUT_SIZE:]

    def _hear(self, note: Note) -> bool:
        if note.word != "ran":
            return False
        self._ran = Ran.read(note.facts)
        return True


def hooks(rollout: Rollout, state: TransferState) -> tuple[list[Step], list[Step]]:
    """Return what is to be run before, and after."""
    before, after, limit_s = list[Step](), list[Step](), rollout.command_timeout_s
    if rollout.before:
        before.append(Hook("before", hook_line("before", rollout.before, limit_s), rollout, state))
    if rollout.after:
        after.append(Hook("after", hook_line("after", rollout.after, limit_s), rollout, state))
    if rollout.signal:
        after.append(Hook("signal", signal_line(rollout.signal), rollout, state))
    return before, after
