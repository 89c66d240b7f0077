"""This node among the others: announcements, orders and questions over a controller (07 §14)."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from google.protobuf.message import DecodeError

from fanjet.net.aio import run_eagerly
from fanjet.net.glob import GlobError
from fanjet.node.proto import control_pb2 as pb
from fanjet.node.surveys import CHANNELS, EMULATION, SUCCESS, Answer, ChannelsFault, EmulationFault
from fanjet.protocol.codes import ERROR_INTERNAL, Disconnect, ReplyError, Unsubscribe
from fanjet.telemetry.logging import get_logger

from .messages import (
    disconnect_message,
    node_message,
    node_of,
    options_of,
    position_of,
    refresh_message,
    selection_of,
    subscribe_message,
    unsubscribe_message,
)
from .registry import Registry
from .surveys import Surveys, SurveyTimeout

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from typing import Any

    from fanjet.channels.subscription import SubscriptionOptions
    from fanjet.engines.interfaces import Controller
    from fanjet.node.connection_filter import Selection
    from fanjet.node.connection_operations import Orders
    from fanjet.node.extension_surveys import Inquiries
    from fanjet.node.metrics import NodeMetrics
    from fanjet.node.registry import NodeInfo
    from fanjet.node.surveys import Questions
    from fanjet.protocol.publication import StreamPosition

log = get_logger(__name__)

BEATS_PER_SWEEP: Final = 3


class Cluster:
    """Talks with the other nodes.

    `take_stock` counts what there is on this one. `beat` is called every 3 s. What other nodes want done runs in tasks:
    nothing here waits for a connection.
    """

    def __init__(
        self,
        controller: Controller,
        take_stock: Callable[[], NodeInfo],
        *,
        orders: Orders,
        questions: Questions,
        inquiries: Inquiries,
        metrics: NodeMetrics,
    ) -> None:
        own = take_stock()
        self.registry = Registry(own, time.monotonic)
        self._controller = controller
        self._orders = orders
        self._questions = questions
        self._inquiries = inquiries
        self._metrics = metrics
        self._uid = own.uid
        self._take_stock = take_stock
        self._surveys = Surveys()
        self._metrics_sent: object = None
        self._beats = 0
        self._is_unheard = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._handlers: dict[str, Callable[[pb.Command], None]] = {
            "node": self._on_node,
            "shutdown": self._on_shutdown,
            "unsubscribe": self._on_unsubscribe,
            "subscribe": self._on_subscribe,
            "disconnect": self._on_disconnect,
            "survey_request": self._on_survey_request,
            "survey_response": self._on_survey_response,
            "notification": self._on_notification,
            "refresh": self._on_refresh,
        }

    # ------------------------------------------------------------------------------------------ to the others

    async def announce(self, own: NodeInfo) -> None:
        """Tell everybody of this node. Raises what the controller raises."""
        self.registry.hear(own)
        fresh = own.metrics is not self._metrics_sent
        await self._tell(node=node_message(own, with_metrics=fresh))
        self._metrics_sent = own.metrics

    def beat(self, own: NodeInfo) -> None:
        """Announce this node without waiting, and now and then forget those that have fallen silent."""
        self._keep(asyncio.get_running_loop().create_task(self._announce_or_tell(own)))
        self._beats += 1
        if self._beats % BEATS_PER_SWEEP == 0:
            for uid in self.registry.sweep():
                log.info("node has fallen silent", node=uid)

    async def _announce_or_tell(self, own: NodeInfo) -> None:
        """A failure is told once: until the controller is back, every attempt fails."""
        try:
            await self.announce(own)
        except Exception as error:
            if not self._is_unheard:
                log.error("error announcing node", error=error)
            self._is_unheard = True
        else:
            self._is_unheard = False

    @property
    def last_will(self) -> bytes:
        """What tells the others that this node is gone, for who notices that it is (`engines.LastWillController`)."""
        return pb.Command(uid=self._uid, shutdown=pb.Shutdown()).SerializeToString()

    async def leave(self) -> None:
        """Tell everybody that this node goes; that nobody hears it does not matter."""
        try:
            await self._tell(shutdown=pb.Shutdown())
        except Exception as error:
            log.info("error announcing shutdown", error=error)

    async def subscribe(
        self, selection: Selection, channel: str, options: SubscriptionOptions, since: StreamPosition | None
    ) -> None:
        """Have the others subscribe their connections."""
        await self._order(subscribe=subscribe_message(selection, channel, options, since))

    async def unsubscribe(self, selection: Selection, channel: str, unsubscribe: Unsubscribe) -> None:
        """Have the others unsubscribe their connections."""
        await self._order(unsubscribe=unsubscribe_message(selection, channel, unsubscribe))

    async def disconnect(self, selection: Selection, disconnect: Disconnect) -> None:
        """Have the others close their connections."""
        await self._order(disconnect=disconnect_message(selection, disconnect))

    async def refresh(self, selection: Selection, *, expired: bool, expire_at: int, info: bytes) -> None:
        """Have the others move the expiry of their connections."""
        await self._order(refresh=refresh_message(selection, expired=expired, expire_at=expire_at, info=info))

    async def channels(self, pattern: str, seconds: float) -> dict[str, int]:
        """The channels of all nodes with their number of subscriptions. Raises `SurveyTimeout`, error 100 when a node
        answers with an error, and what the controller raises."""
        question = pb.ChannelsRequest(pattern=pattern).SerializeToString()
        counts: dict[str, int] = {}
        for answer in (await self._survey(CHANNELS, question, seconds)).values():
            if answer.code:
                raise ReplyError(ERROR_INTERNAL)
            for channel, info in pb.ChannelsResponse.FromString(answer.data).channels.items():
                counts[channel] = counts.get(channel, 0) + info.num_clients
        return counts

    async def emulate(self, node: str, session: str, data: bytes, seconds: float) -> None:
        """Have another node run the commands of one of its connections, and wait until it has. Raises `SurveyTimeout`,
        and what the controller raises."""
        question = pb.EmulationRequest(node=node, session=session, data=data).SerializeToString()
        await self._survey(EMULATION, question, seconds, to=node)

    async def inquire(self, name: str, question: bytes, seconds: float, *, to: str = "") -> dict[str, bytes]:
        """What nodes that have answered in time say to a question of this server's own: one, or all, this one included.
        Raises what the controller raises."""
        try:
            answers = await self._survey(name, question, seconds, to=to)
        except SurveyTimeout as late:
            answers = late.answers
        return {uid: answer.data for uid, answer in answers.items() if answer.code == SUCCESS}

    async def notify(self, name: str, data: bytes, *, to: str = "") -> None:
        """Tell one node, or all others, without waiting for an answer. Raises what the controller raises."""
        await self._tell(to, notification=pb.Notification(op=name, data=data))

    async def _order(self, **content: Any) -> None:
        """Raises error 100 when the others cannot be told: then nothing is to be done here either."""
        try:
            await self._tell(**content)
        except Exception as error:
            log.error("error publishing control message", error=error)
            raise ReplyError(ERROR_INTERNAL) from error

    async def _survey(self, operation: str, data: bytes, seconds: float, *, to: str = "") -> dict[str, Answer]:
        with self._metrics.surveying(operation):
            return await self._answers(operation, data, seconds, to)

    async def _answers(self, operation: str, data: bytes, seconds: float, to: str) -> dict[str, Answer]:
        own = None if to else (self._uid, await self._answer_to(operation, data))
        expected = 1 if to else len(self.registry)
        if own is not None and expected == 1:
            return dict([own])

        def ask(number: int) -> Awaitable[None]:
            return self._tell(to, survey_request=pb.SurveyRequest(id=number, op=operation, data=data))

        return await self._surveys.ask(ask, expected, seconds, own)

    async def _tell(self, to: str = "", **content: Any) -> None:
        """Send a control message, named by its field, to one node, or to all. Raises what the controller raises."""
        self._metrics.sent_control.value += 1
        message = pb.Command(uid=self._uid, **content)
        await self._controller.publish_control(message.SerializeToString(), to)

    async def close(self) -> None:
        """Give up what is under way for other nodes."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # ------------------------------------------------------------------------------------------ from the others

    def on_control(self, data: bytes) -> None:
        """Take a control message; one that this node sent comes back and means nothing (07 §14.3)."""
        self._metrics.received_control.value += 1
        message = pb.Command()
        try:
            message.ParseFromString(data)
        except DecodeError as error:
            log.error("error decoding control message", error=error)
            return
        if message.uid == self._uid:
            return
        for content, handle in self._handlers.items():
            if message.HasField(content):
                handle(message)
                return
        log.warn("unknown control message", node=message.uid)

    def _on_node(self, message: pb.Command) -> None:
        if self.registry.hear(node_of(message.node)):
            own = node_message(self._take_stock(), with_metrics=True)
            self._run("error announcing node", self._tell(message.node.uid, node=own))

    def _on_shutdown(self, message: pb.Command) -> None:
        self.registry.forget(message.uid)

    def _on_subscribe(self, message: pb.Command) -> None:
        order = message.subscribe
        work = self._orders.subscribe(selection_of(order), order.channel, options_of(order), position_of(order))
        self._obey("error subscribing for another node", work)

    def _on_unsubscribe(self, message: pb.Command) -> None:
        order = message.unsubscribe
        unsubscribe = Unsubscribe(order.code, order.reason)
        work = self._orders.unsubscribe(selection_of(order), order.channel, unsubscribe)
        self._obey("error unsubscribing for another node", work)

    def _on_disconnect(self, message: pb.Command) -> None:
        order = message.disconnect
        self._orders.disconnect(selection_of(order), Disconnect(order.code, order.reason))

    def _on_refresh(self, message: pb.Command) -> None:
        order = message.refresh
        self._orders.refresh(selection_of(order), expired=order.expired, expire_at=order.expire_at, info=order.info)

    def _on_survey_request(self, message: pb.Command) -> None:
        self._run("error answering survey", self._answer(message.uid, message.survey_request))

    async def _answer(self, asker: str, question: pb.SurveyRequest) -> None:
        answer = await self._answer_to(question.op, question.data)
        response = pb.SurveyResponse(id=question.id, code=answer.code, data=answer.data)
        await self._tell(asker, survey_response=response)

    async def _answer_to(self, operation: str, data: bytes) -> Answer:
        try:
            if operation == CHANNELS:
                return self._tell_channels(data)
            if operation == EMULATION:
                request = pb.EmulationRequest.FromString(data)
                return Answer(await self._questions.emulate(request.session, request.data))
            respond = self._inquiries.respondent(operation)
            if respond is not None:
                return Answer(SUCCESS, await respond(data))
        except DecodeError:
            return Answer(EmulationFault.BAD_REQUEST if operation == EMULATION else ChannelsFault.BAD_REQUEST)
        return Answer(ChannelsFault.UNKNOWN_OPERATION)

    def _tell_channels(self, data: bytes) -> Answer:
        pattern = pb.ChannelsRequest.FromString(data).pattern
        try:
            counts = self._questions.channels(pattern)
        except GlobError as error:
            log.info("invalid channel pattern", pattern=pattern, error=str(error))
            return Answer(ChannelsFault.BAD_REQUEST)
        channels = {channel: pb.ChannelInfo(num_clients=count) for channel, count in counts.items()}
        return Answer(SUCCESS, pb.ChannelsResponse(channels=channels).SerializeToString())

    def _on_survey_response(self, message: pb.Command) -> None:
        response = message.survey_response
        self._surveys.take_answer(response.id, message.uid, Answer(response.code, response.data))

    def _on_notification(self, message: pb.Command) -> None:
        """Of this server's own: the contract has none (07 §14.7)."""
        notice = message.notification
        self._inquiries.take_notice(notice.op, message.uid, notice.data)

    def _obey(self, failure: str, work: Coroutine[Any, Any, None]) -> None:
        """Begin at once, so that orders begin in the order in which they came."""

        def log_failure(_: None, error: BaseException | None) -> None:
            if error is not None:
                log.error(failure, error=error)

        task = run_eagerly(work, log_failure)
        if task is not None:
            self._keep(task)

    def _run(self, failure: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(self._logged(failure, work))
        self._keep(task)

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _logged(self, failure: str, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:
            log.error(failure, error=error)
