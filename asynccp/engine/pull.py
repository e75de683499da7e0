"""Pull: many pods → one destination.

For each pod, in one exec: hello; then the archive, the pod's `done` line, questions for digests if they are wanted, our
acknowledgement, the status. While a thread writes (`engine.writer`), the session holds what arrives, up to a bound;
then nothing is read, TCP's window closes, and the pod's tar waits.

A pull whose session was lost continues in the next one: what is here stays, the pod packs everything again and sends
what is missing, if the beginning is the same to the byte (`archive.prefix`). If it isn't, or the pod can't tell, it
starts over: whole files are then renamed over whole files.

The same way a pull turns to compression, once it is seen that the link is slow (`engine.compression`): the session is
ended, and the next one brings the rest compressed.
"""

import functools
import os
import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import anyio
from anyio import to_thread

from asynccp.archive.watch import Fate, Watch
from asynccp.checksum import ALGORITHMS
from asynccp.engine.account import Account
from asynccp.engine.compression import MOST_LOAD, Link, Pulls
from asynccp.engine.delivery import settle
from asynccp.engine.gate import Confirm, gate_of
from asynccp.engine.group import let_go
from asynccp.engine.memory import MUCH, Memory, give_back
from asynccp.engine.pullsession import BetterCompressed, PullSession
from asynccp.engine.run import Job, Run
from asynccp.engine.schedule import schedule_of
from asynccp.engine.sessions import Greeted, Sessions
from asynccp.engine.state import Arrived, Negotiated, TransferState
from asynccp.engine.turns import in_turns
from asynccp.engine.verify import algorithm_of, check_watched, digest_here
from asynccp.engine.writer import Writer
from asynccp.errors import (
    CommandFailed,
    ConnectFailed,
    NoSuchPath,
    NothingMatches,
    SessionLost,
    SourceChanged,
    SourceShrank,
)
from asynccp.events import Listener, Observer, Started
from asynccp.kube.base import Cluster
from asynccp.options import RECORD_SIZE, RESUME_RECORDS, SLOWEST_DIGEST_PER_S, Compression, Dedup, Options
from asynccp.plan.plan import Gather, PullPlan, fetched, glob
from asynccp.remote.commands import PullRequest, pull_name, read_for_pulls
from asynccp.remote.complaints import Complaint, Complaints, listed
from asynccp.remote.dialogue import EVERYTHING
from asynccp.report import Report, Result
from asynccp.sinks.base import Destination, Place
from asynccp.sinks.destinations import destination_of
from asynccp.sinks.ingest import Ingest
from asynccp.target import Transfer

if TYPE_CHECKING:
    from asynccp.engine.choosing import Choice, Choosing, Listing
    from asynccp.engine.contents import Contents
    from asynccp.engine.continuing import Continuing
    from asynccp.engine.sharing import Sharing
    from asynccp.engine.survey import Surveyed
    from asynccp.plan.collect import Room
    from asynccp.plan.proofs import Proofs

read_for_pulls()

_MOST_SHRUNK = 32  # times that honest logs shrink
_MEMBER_COST = 250  # bytes of memory for one that was chosen, until it has come
_PROOF_COST = 400  # bytes of memory for what a pod has proved of one file


async def pull(
    cluster: Cluster,
    plan: PullPlan,
    *,
    options: Options | None = None,
    observer: Observer | None = None,
    stop: anyio.Event | None = None,
    worded: Callable[[Result], Result] | None = None,
    confirm: Confirm | None = None,
    link: Link | None = None,
    is_part: bool = False,
    destination: Destination | None = None,
) -> Report:
    """Carry a pull out; return how it ended for each target, in the plan's order.

    Never raises for one target's trouble. Setting `stop` ends the run early: what isn't complete by then is reported as
    interrupted, and the remote commands are ended. worded: makes of each result the one that an archive tells.
    confirm: asked before each wave. link: the way to the cluster; None: it is looked at anew. is_part: other processes
    pull into the same store, and one of them concludes. destination: another one than the plan's.
    """
    options, observer = options or Options(), observer or Listener()
    if destination is None:
        destination = destination_of(plan.destination, options, is_archive=plan.is_archive, is_part=is_part)
    async with Writer() as writer:
        sessions = Sessions(cluster, options, plan.token)
        is_throttled = options.concurrency.rate_per_s > 0  # then it is not the way that is slow
        paths = PullJob(plan, sessions, destination, writer, None if is_throttled else link)
        job: Job = paths
        if plan.has_logs:
            from asynccp.engine.logs import LogAttempts, WithLogs  # few need it

            job = WithLogs(paths, LogAttempts(plan, paths), paths.digests_size)
        try:
            schedule = schedule_of(plan.waves, options.waves)
            gate = gate_of(cluster, options.waves, observer, confirm)
            run, begun = Run(job, cluster, options, observer, schedule=schedule, gate=gate), anyio.current_time()
            stop = stop or anyio.Event()
            await paths.survey(cluster, plan, stop)
            report = await run.carry_out(plan, stop, begun=begun)
            report.results = [*map(worded, report.results)] if worded else report.results
            with anyio.CancelScope(shield=True):
                report = await to_thread.run_sync(destination.finish, report)
        finally:
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(destination.close)
    return report


class PullJob:
    """The pull of one plan, as `engine.run.Job`: what its transfers share, and what they keep between attempts."""

    direction = "pull"

    def __init__(
        self,
        plan: PullPlan,
        sessions: Sessions,
        destination: Destination,
        writer: Writer,
        link: Link | None = None,
    ) -> None:
        self.token = plan.token
        self._root = plan.destination
        self.sessions = sessions
        self.destination = destination
        self.writer = writer
        self.options = options = sessions.options
        self.memory = Memory(options.limits.memory)
        self.inside = plan.inside() if options.collecting.mirror else {}
        self.compression = Pulls(options.compression, anyio.current_time(), link)
        self.digests_size = options.limits.memory
        self._gathers = {one.transfer: one for one in plan.gathers}
        self._askers = Counter((one.target.of_pod, one.path) for one in plan.transfers)  # containers of a pod, by path
        self._kept: dict[Transfer, _PullTransfer] = {}
        self._surveyed: Surveyed | None = None

    @functools.cached_property
    def choosing(self) -> "Choosing":
        """What is taken of a directory: in use where something is left out, or is here already."""
        from asynccp.engine.choosing import Choosing  # a first pull of everything doesn't need it

        return Choosing(self.options)

    @functools.cached_property
    def room(self) -> "Room":
        """Bytes that all transfers together may still take."""
        from asynccp.engine.room import SharedRoom  # likewise

        return SharedRoom(self.options.collecting.most_total_size)

    @functools.cached_property
    def contents(self) -> "Contents":
        """What files here have: in use where one may stand for several."""
        from asynccp.engine.contents import Contents  # likewise

        return Contents(self._root)

    async def survey(self, cluster: Cluster, plan: PullPlan, stop: anyio.Event) -> None:
        """Have all pods tell what they have, where they share what may be taken in all."""
        if self.options.collecting.most_total_size:
            from asynccp.engine.survey import survey  # likewise

            self._surveyed = await survey(cluster, plan, self.sessions, self.choosing, self.room, stop)

    def room_of(self, transfer: Transfer) -> "Room":
        """Return what one transfer may still take."""
        return (self._surveyed and self._surveyed.rooms.get(transfer)) or self.room

    async def attempt(self, state: TransferState) -> None:
        transfer = state.transfer
        if transfer not in self._kept:
            state.wire_size += self._surveyed.wire_sizes.get(transfer, 0) if self._surveyed else 0
            self._kept[transfer] = _PullTransfer(self, state, self._gathers[transfer])
        try:
            await self._kept[transfer].attempt()
        except NoSuchPath as exc:
            if glob(transfer.path):
                raise NothingMatches(str(exc), hint=exc.hint) from exc
            exc.may_lack = self._askers[transfer.target.of_pod, transfer.path] > 1
            raise

    async def release(self, state: TransferState) -> None:
        if kept := self._kept.pop(state.transfer, None):
            await kept.close()


class _PullTransfer:
    """One pod's archive on its way into the sink, in one session or in several."""

    def __init__(self, job: PullJob, state: TransferState, gather: Gather) -> None:
        self._job = job
        self._state = state
        self._gather = gather
        self._share = job.memory.share(self._taken)
        self._offer = job.compression.offer  # of the session under way
        self._complaints = Complaints()  # likewise
        self._ingest: Ingest | None = None
        self._listing: Listing | None = None
        self._choice: Choice | None = None
        self._continuing: Continuing | None = None
        self._sharing: Sharing | None = None
        self._proofs: Proofs | None = None  # over all attempts
        self._is_complete = False
        self._ended_early = False  # once already, because a file changed under tar's hands

    @property
    def _path(self) -> str:
        """What the pod is asked for."""
        return fetched(self._state.transfer.path)

    @property
    def _records(self) -> int:
        """How many records are here, if that is enough to continue behind them; else 0."""
        prefix = self._ingest.prefix if self._ingest else None
        return prefix.records if prefix and prefix.records >= RESUME_RECORDS else 0

    @property
    def _come_size(self) -> int:
        """Bytes of the archive behind which the next session continues, as far as what came may stand for them."""
        return min(self._records * RECORD_SIZE, _MOST_SHRUNK * self._state.wire_size)

    def _taken(self) -> int:
        """Return the bytes of memory that what must be remembered takes."""
        listed = (self._listing.size if self._listing else 0) + _PROOF_COST * len(self._proofs or ())
        return listed + self._complaints.memory + (self._ingest.memory if self._ingest else 0)

    async def attempt(self) -> None:
        """Have as many sessions as it takes to find out how the rest is to come. Raises what each may fail with."""
        while True:
            try:
                request, extra_s = await self._request(), self._come_size / SLOWEST_DIGEST_PER_S
                async with self._job.sessions.greeted(self._state.transfer, request, extra_stall_s=extra_s) as found:
                    self._state.negotiated = Negotiated(protocol=found.protocol)
                    await self._run(found)
                    self._is_complete = True
                    return
            except BetterCompressed as exc:
                let_go(exc)

    async def close(self) -> None:
        """Remove what is not whole, forget what there is. Harmless when called again."""
        took = self._share.used()
        self._share.release()  # at once: the end of a session takes its time, and others wait
        ingest, self._ingest = self._ingest, None
        if self._choice and not self._is_complete:
            self._job.room_of(self._state.transfer).give_back(self._choice.taken_size)
        self._choice = self._listing = self._continuing = None
        if ingest:
            with anyio.CancelScope(shield=True):  # bounded: one temporary file, some descriptors, modes for a moment
                await to_thread.run_sync(ingest.abort)
                if took > MUCH:
                    await to_thread.run_sync(give_back)

    async def _request(self) -> PullRequest:
        """Return what the next session asks for: it continues where the last one was lost, if that pays."""
        options, records, digest = self._job.options, self._records, None
        if records and self._ingest and self._ingest.prefix:
            digest = await in_turns(self._ingest.prefix.digest())
        records = records if digest else 0
        self._offer = self._job.compression.offer
        return PullRequest(
            token=self._job.token,
            path=self._path,
            records=records,
            digest=digest or "",
            codecs=self._offer.codecs,
            most_load=MOST_LOAD if options.compression is Compression.AUTO else 0,
            want_size=options.want_size and not records,
            follow=options.attributes.follow,
            chooses=not records and await self._chooses(),
            one_file_system=options.filtering.one_file_system,
            copy_links=options.filtering.copy_links,
        )

    async def _chooses(self) -> bool:
        """Tell whether the pod is to list what it has: something is left out, or may be here, or come, from another."""
        job = self._job
        if glob(self._state.transfer.path):
            return True
        if job.options.dedup is not Dedup.NONE and not self._gather.onto:
            return True
        if job.options.narrows_pulls or self._gather.onto or job.options.sync.always:
            return job.options.narrows_pulls
        return await to_thread.run_sync(job.destination.holds, self._place(is_directory=True))

    async def _run(self, found: Greeted) -> None:
        """Write the archive. Raises what keeps the transfer from being complete."""
        try:
            async with found.conversation.watched():
                await self._receive(found)
        except (SessionLost, ConnectFailed, BetterCompressed):  # it may continue
            if self._ingest and (self._ingest.is_torn or not self._records):
                await self.close()
            raise
        except SourceShrank as exc:
            await self.close()
            if self._ended_early:
                raise CommandFailed(str(exc), hint="twice: is that file's size a lie? pull what is beside it") from exc
            self._ended_early = True
            raise
        except BaseException:
            await self.close()
            raise
        finally:
            if self._sharing:
                self._sharing.give_up()
                self._sharing = None

    async def _receive(self, found: Greeted) -> None:
        conversation, hello, state = found.conversation, found.hello, self._state
        state.negotiated = self._negotiated(found)
        overlap = None
        if self._ingest and self._ingest.prefix and self._records and hello.resumes_at == self._records:
            overlap = self._ingest.prefix.follow()
        else:
            await self.close()
            await self._open(found)
            state.observer(Started(state.transfer, None))
        assert self._ingest
        if hello.chooses:
            choice = await self._choose(found, self._ingest)
            if choice and not choice.members:
                await self._have_shared()
                await settle(conversation, ())
                await self._behind()
                await to_thread.run_sync(self._ingest.finish)
                self._came(self._ingest, None)
                self._check_grown()
                return
            hello = await conversation.hello(self._path, state.transfer.target)
            found = found._replace(hello=hello)
            state.negotiated = self._negotiated(found)
        elif self._job.options.narrows_pulls or glob(state.transfer.path):
            self._job.choosing.check_single(hello, self._path)
        account = Account(conversation, state, self._ingest, hello, path=self._path)
        account.settles = functools.partial(self._settle, found, self._ingest)
        self._complaints = conversation.complaints
        self._complaints.has_room = self._share.has_room
        session = PullSession(self._job, state, found, self._ingest, account, overlap, self._share, self._behind)
        try:
            # Once compressed, or refused, it stays so.
            await session.run(None if self._offer.codecs else self._job.compression)
        finally:
            self._came(self._ingest, account)
        self._check_grown()

    def _negotiated(self, found: Greeted) -> Negotiated:
        """Return what this session is agreed on with the pod. Raises CommandMissing."""
        options, (codec, why_none) = self._job.options, self._offer.taken(found.hello)
        if options.verification.strict_sources:
            check_watched(found.hello)
        return Negotiated(
            protocol=found.protocol,
            way=found.way,
            compression=codec,
            compression_note=why_none,
            checksum=algorithm_of(found.hello) if options.verification.checksum else "",
        )

    async def _choose(self, found: Greeted, ingest: Ingest) -> "Choice | None":
        """Hear what there is, and tell the pod what of it is to come; None for everything."""
        from asynccp.engine.choosing import Asked, Listing, member, packed
        from asynccp.engine.continuing import Continuing
        from asynccp.engine.rotating import renamed_now
        from asynccp.plan.proofs import Proofs

        conversation, name = found.conversation, pull_name(self._path)
        self._proofs = self._proofs or Proofs()
        self._listing = Listing(found, self._state, self._share.room, self._proofs)
        others = self._job.inside.get(self._gather.directory, ()) if not self._gather.name else ()
        transfer = self._state.transfer
        asked = Asked(name, glob(transfer.path), others, self._job.room_of(transfer))
        choice = self._choice = await self._job.choosing.choose(self._listing, ingest, asked)
        if choice is None:
            await conversation.send(EVERYTHING)
            return None
        self._listing.size = _MEMBER_COST * len(choice.members)
        self._continuing = Continuing(
            conversation,
            self._state,
            ingest,
            self._job.writer,
            functools.partial(member, name),
            self._proofs,
            algorithm=self._algorithm(found),
            tail_size=self._job.options.collecting.tail_size,
        )
        if choice.shared:
            choice = self._choice = await self._share_out(choice, found, ingest)
        await self._continuing.before(choice.fetch, choice.items)
        if choice.members and (paths := await renamed_now(conversation, choice.witnesses)):
            choice = self._choice = await self._without_rotating(choice, paths)
        ingest.choose(choice.members)
        if choice.members:
            await conversation.send(packed(choice, name, is_directory=found.hello.is_directory))
        return choice

    async def _without_rotating(self, choice: "Choice", paths: list[bytes]) -> "Choice":
        """Fetch logs that are rotated now before anything is packed, and return what is left to pack.

        Raises SourceRotated where it can't be proved that these are what was listed, or they are too many.
        """
        from asynccp.engine.choosing import member
        from asynccp.engine.rotating import MOST_TAKEN, rotated

        verification = self._job.options.verification
        if verification.strict_sources or verification.checksum or len(choice.rotating) > MOST_TAKEN:
            raise rotated(paths)
        assert self._continuing
        await self._continuing.take(choice.rotating)
        name = pull_name(self._path)
        return choice._replace(members=choice.members - {member(name, path) for path in choice.rotating}, rotating={})

    def _algorithm(self, found: Greeted) -> str:
        """Return by which digests a log proves that it was rotated, and not changed; empty where that is no excuse, or
        the pod has none."""
        strict, program = self._job.options.verification.strict_sources, found.hello.checksum
        return program if program in ALGORITHMS and not strict else ""

    async def _share_out(self, choice: "Choice", found: Greeted, ingest: Ingest) -> "Choice":
        """Leave out what other pods' copies have or bring. Return what is left to pack."""
        from asynccp.engine.choosing import member
        from asynccp.engine.sharing import Sharing, can_share

        if not can_share(found.hello, ingest):
            return choice
        assert self._continuing
        name, job = pull_name(self._path), self._job
        named = functools.partial(member, name)
        sharing = self._sharing = Sharing(
            job.contents, job.options.dedup, found.conversation, ingest, self._continuing, named
        )
        others = await sharing.before(choice.shared)
        return choice._replace(members=choice.members - {named(path) for path in others})

    async def _have_shared(self) -> None:
        """Have what other pods' copies have or bring, when all of this one's own is here."""
        if not self._sharing or not self._choice:
            return
        had, fetch = await self._sharing.behind(), self._choice.fetch
        size = fetch.begun_size + sum(one.size for one in had.values())
        self._choice = self._choice._replace(fetch=fetch._replace(begun_size=size))
        if self._job.options.verification.checksum:
            from asynccp.engine.choosing import member

            name = pull_name(self._path)
            self._state.digests.update((member(name, path), one.digest) for path, one in had.items())

    async def _settle(self, found: Greeted, ingest: Ingest) -> None:
        """Do what is left behind the pod's archive. Raises SourceRotated if something in it may be another file's."""
        choice, hello = self._choice, found.hello
        if choice and (choice.witnesses or choice.sized):
            await self._check_read(found, choice, ingest)
        elif not choice and hello.is_directory and hello.has_stat:
            await self._check_walked(found, ingest)
        await self._have_shared()

    async def _check_read(self, found: Greeted, choice: "Choice", ingest: Ingest) -> None:
        """Raise SourceRotated if what came under its name may be another log."""
        from asynccp.engine.choosing import member
        from asynccp.engine.rotating import Read, check_read, rotated, still_there

        short = {
            path: was
            for path, was in choice.sized.items()
            if (size := ingest.size_of(path)) is not None and size < was.size
        }
        if paths := await still_there(found.conversation, short):
            raise rotated(paths)
        name = pull_name(self._path)
        algorithm = self._algorithm(found)

        here = functools.partial(digest_here, found.conversation, ingest, algorithm)

        def read() -> list[Read]:
            read = {member(name, path): one.inode for path, one in choice.rotating.items()}
            return [Read(path, inode, ingest.size_of(path) or 0) for path, inode in read.items()]

        await check_read(found.conversation, choice.witnesses, read, here, algorithm)

    async def _check_walked(self, found: Greeted, ingest: Ingest) -> None:
        """Raise SourceRotated if a log may be lacking, because it was renamed while the pod's tar walked over it."""
        if ingest.sink.continues and ingest.watch.states:
            from asynccp.engine.rotating import check_walked  # few are asked

            await check_walked(found.conversation, ingest, self._algorithm(found))

    async def _behind(self) -> None:
        """Do what is left when all that was fetched whole is here."""
        if self._continuing and self._choice:
            await self._continuing.behind(self._choice.fetch, self._choice.items)

    def _check_grown(self) -> None:
        """Raise SourceChanged if one was appended to while its rest was fetched, where that counts as a change."""
        if self._continuing and self._continuing.grown and self._job.options.verification.strict_sources:
            told = [Complaint(path, Fate.CHANGED) for path in self._continuing.grown]
            raise SourceChanged(f"sources changed while they were pulled: {listed(told)}")

    def _came(self, ingest: Ingest, account: Account | None) -> None:
        """Take down what is here."""
        choice, continuing = self._choice, self._continuing
        limited, counts = choice.limited if choice else (), self._job.options.failures.strict
        self._state.arrived = Arrived(
            size=ingest.size,
            entries=ingest.entries,
            left_out=[
                *ingest.left_out,
                *(account.left_out if account else ()),
                *(continuing.left_out if continuing else ()),
                *(choice.left_out if choice else ()),
                *(limited if counts else ()),
            ],
            limited=() if counts else limited,
            not_kept=[*ingest.not_kept, *(continuing.not_kept if continuing else ())],
            grown=[*(account.grown if account else ()), *(continuing.grown if continuing else ())],
            landed=ingest.sink.landed or (self._gather.landed if ingest.entries else ""),
            tally=choice.tally if choice else None,
        )

    def _place(self, *, is_directory: bool) -> Place:
        gather = self._gather
        return Place(
            directory=gather.directory,
            name=os.fsencode(gather.name),
            shares=gather.shares,
            onto=gather.onto,
            is_directory=is_directory,
        )

    async def _open(self, found: Greeted) -> None:
        """Begin to take an archive in."""
        hello, name = found.hello, pull_name(self._path)
        options = self._job.options
        place = self._place(is_directory=hello.is_directory)
        sink = await to_thread.run_sync(self._job.destination.open, place)
        self._share = self._job.memory.share(self._taken)
        watched = options.verification.checksum or options.verification.strict_sources
        watch = Watch(since_s=time.time(), every=watched, pads=hello.tar == "bsdtar")
        self._ingest = Ingest(
            sink,
            name,
            limits=options.limits,
            watch=watch,
            has_room=self._share.has_room,
            resumes=not hello.chooses,
            bundles=hello.by_shell,
        )
