"""Control messages between this node and the others.

These are announcements, operations and surveys (07 §14).
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from google.protobuf.message import DecodeError

from fanjet.net.aio import run_eagerly
from fanjet.net.glob import GlobError
from fanjet.node.proto import control_pb2 as pb
from fanjet.node.surveys import CHANNELS, EMULATION, SUCCESS, ChannelsError, EmulationError, SurveyResult
from fanjet.protocol.codes import ERROR_INTERNAL, Disconnect, ReplyError, Unsubscribe
from fanjet.telemetry.logging import get_logger

from .messages import (
    connection_filter_of,
    disconnect_message,
    node_message,
    node_of,
    options_of,
    position_of,
    refresh_message,
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
    from fanjet.node.connection_filter import ConnectionFilter
    from fanjet.node.connection_operations import ConnectionOperations
    from fanjet.node.extension_surveys import ExtensionSurveys
    from fanjet.node.metrics import NodeMetrics
    from fanjet.node.registry import NodeInfo
    from fanjet.node.surveys import SurveyResponder
    from fanjet.protocol.publication import StreamPosition

log = get_logger(__name__)

HEARTBEATS_PER_SWEEP: Final = 3


class Cluster:
    """Exchanges control messages with the other nodes.

    `collect_node_info` counts this node's connections and channels. `heartbeat` is called every 3 s. Operations for
    other nodes run in tasks: nothing here waits for a connection.
    """

    def __init__(
        self,
        controller: Controller,
        collect_node_info: Callable[[], NodeInfo],
        *,
        operations: ConnectionOperations,
        survey_responder: SurveyResponder,
        extension_surveys: ExtensionSurveys,
        metrics: NodeMetrics,
    ) -> None:
        own = collect_node_info()
        self.registry = Registry(own, time.monotonic)
        self._controller = controller
        self._operations = operations
        self._survey_responder = survey_responder
        self._extension_surveys = extension_surveys
        self._metrics = metrics
        self._uid = own.uid
        self._collect_node_info = collect_node_info
        self._surveys = Surveys()
        self._metrics_sent: object = None
        self._heartbeats = 0
        self._announce_failing = False
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

    # ------------------------------------------------------------------------------------------ sending

    async def announce(self, own: NodeInfo) -> None:
        """Send this node's info to all nodes. Raises the controller's errors."""
        self.registry.update(own)
        fresh = own.metrics is not self._metrics_sent
        await self._send_control(node=node_message(own, with_metrics=fresh))
        self._metrics_sent = own.metrics

    def heartbeat(self, own: NodeInfo) -> None:
        """Announce this node without waiting, and remove silent nodes periodically.

        Silent nodes are those that have stopped announcing.
        """
        self._keep_task(asyncio.get_running_loop().create_task(self._announce_safely(own)))
        self._heartbeats += 1
        if self._heartbeats % HEARTBEATS_PER_SWEEP == 0:
            for uid in self.registry.sweep():
                log.info("node has fallen silent", node=uid)

    async def _announce_safely(self, own: NodeInfo) -> None:
        """Announce this node; a failure is logged once per outage.

        Every attempt fails until the controller is back.
        """
        try:
            await self.announce(own)
        except Exception as error:
            if not self._announce_failing:
                log.error("error announcing node", error=error)
            self._announce_failing = True
        else:
            self._announce_failing = False

    @property
    def last_will(self) -> bytes:
        """The control message that removes this node.

        For a controller that detects its failure (`engines.LastWillController`).
        """
        return pb.Command(uid=self._uid, shutdown=pb.Shutdown()).SerializeToString()

    async def announce_shutdown(self) -> None:
        """Notify all nodes of this node's shutdown; failures are logged and ignored."""
        try:
            await self._send_control(shutdown=pb.Shutdown())
        except Exception as error:
            log.info("error announcing shutdown", error=error)

    async def subscribe(
        self,
        connection_filter: ConnectionFilter,
        channel: str,
        options: SubscriptionOptions,
        since: StreamPosition | None,
    ) -> None:
        """Subscribe connections of the other nodes."""
        await self._broadcast_operation(subscribe=subscribe_message(connection_filter, channel, options, since))

    async def unsubscribe(self, connection_filter: ConnectionFilter, channel: str, unsubscribe: Unsubscribe) -> None:
        """Unsubscribe connections of the other nodes."""
        await self._broadcast_operation(unsubscribe=unsubscribe_message(connection_filter, channel, unsubscribe))

    async def disconnect(self, connection_filter: ConnectionFilter, disconnect: Disconnect) -> None:
        """Disconnect connections of the other nodes."""
        await self._broadcast_operation(disconnect=disconnect_message(connection_filter, disconnect))

    async def refresh(self, connection_filter: ConnectionFilter, *, expired: bool, expire_at: int, info: bytes) -> None:
        """Set the expiry of connections of the other nodes."""
        await self._broadcast_operation(
            refresh=refresh_message(connection_filter, expired=expired, expire_at=expire_at, info=info)
        )

    async def channels(self, pattern: str, seconds: float) -> dict[str, int]:
        """The channels of all nodes with their number of subscriptions.

        Raises `SurveyTimeout`, error 100 when a node returns an error, and the controller's errors.
        """
        request = pb.ChannelsRequest(pattern=pattern).SerializeToString()
        counts: dict[str, int] = {}
        for answer in (await self._survey(CHANNELS, request, seconds)).values():
            if answer.code:
                raise ReplyError(ERROR_INTERNAL)
            for channel, info in pb.ChannelsResponse.FromString(answer.data).channels.items():
                counts[channel] = counts.get(channel, 0) + info.num_clients
        return counts

    async def emulate(self, node: str, session: str, data: bytes, seconds: float) -> None:
        """Run commands on a connection of another node, and wait for them.

        Raises `SurveyTimeout`, and the controller's errors.
        """
        request = pb.EmulationRequest(node=node, session=session, data=data).SerializeToString()
        await self._survey(EMULATION, request, seconds, to=node)

    async def survey(self, name: str, request: bytes, seconds: float, *, to: str = "") -> dict[str, bytes]:
        """Run an extension survey of one node, or of all, this one included.

        Returns the results that arrived in time. Raises the controller's errors.
        """
        try:
            answers = await self._survey(name, request, seconds, to=to)
        except SurveyTimeout as late:
            answers = late.answers
        return {uid: answer.data for uid, answer in answers.items() if answer.code == SUCCESS}

    async def notify(self, name: str, data: bytes, *, to: str = "") -> None:
        """Send a notification to one node, or to all others.

        Raises the controller's errors.
        """
        await self._send_control(to, notification=pb.Notification(op=name, data=data))

    async def _broadcast_operation(self, **content: Any) -> None:
        """Publish an operation to the other nodes.

        Raises error 100 when the message cannot be published: then the operation must not run here either.
        """
        try:
            await self._send_control(**content)
        except Exception as error:
            log.error("error publishing control message", error=error)
            raise ReplyError(ERROR_INTERNAL) from error

    async def _survey(self, operation: str, data: bytes, seconds: float, *, to: str = "") -> dict[str, SurveyResult]:
        with self._metrics.surveying(operation):
            return await self._answers(operation, data, seconds, to)

    async def _answers(self, operation: str, data: bytes, seconds: float, to: str) -> dict[str, SurveyResult]:
        own = None if to else (self._uid, await self._local_answer(operation, data))
        expected = 1 if to else len(self.registry)
        if own is not None and expected == 1:
            return dict([own])

        def send(number: int) -> Awaitable[None]:
            return self._send_control(to, survey_request=pb.SurveyRequest(id=number, op=operation, data=data))

        return await self._surveys.run(send, expected, seconds, own)

    async def _send_control(self, to: str = "", **content: Any) -> None:
        """Send a control message, named by its field, to one node, or to all.

        Raises the controller's errors.
        """
        self._metrics.sent_control.value += 1
        message = pb.Command(uid=self._uid, **content)
        await self._controller.publish_control(message.SerializeToString(), to)

    async def close(self) -> None:
        """Cancel work under way for other nodes."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # ------------------------------------------------------------------------------------------ receiving

    def on_control(self, data: bytes) -> None:
        """Handle a control message.

        Messages of this node are received too and are ignored (07 §14.3).
        """
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
        if self.registry.update(node_of(message.node)):
            own = node_message(self._collect_node_info(), with_metrics=True)
            self._run_in_task("error announcing node", self._send_control(message.node.uid, node=own))

    def _on_shutdown(self, message: pb.Command) -> None:
        self.registry.forget(message.uid)

    def _on_subscribe(self, message: pb.Command) -> None:
        request = message.subscribe
        work = self._operations.subscribe(
            connection_filter_of(request), request.channel, options_of(request), position_of(request)
        )
        self._run_eagerly("error subscribing for another node", work)

    def _on_unsubscribe(self, message: pb.Command) -> None:
        request = message.unsubscribe
        unsubscribe = Unsubscribe(request.code, request.reason)
        work = self._operations.unsubscribe(connection_filter_of(request), request.channel, unsubscribe)
        self._run_eagerly("error unsubscribing for another node", work)

    def _on_disconnect(self, message: pb.Command) -> None:
        request = message.disconnect
        self._operations.disconnect(connection_filter_of(request), Disconnect(request.code, request.reason))

    def _on_refresh(self, message: pb.Command) -> None:
        request = message.refresh
        self._operations.refresh(
            connection_filter_of(request), expired=request.expired, expire_at=request.expire_at, info=request.info
        )

    def _on_survey_request(self, message: pb.Command) -> None:
        self._run_in_task("error answering survey", self._answer(message.uid, message.survey_request))

    async def _answer(self, sender: str, request: pb.SurveyRequest) -> None:
        answer = await self._local_answer(request.op, request.data)
        response = pb.SurveyResponse(id=request.id, code=answer.code, data=answer.data)
        await self._send_control(sender, survey_response=response)

    async def _local_answer(self, operation: str, data: bytes) -> SurveyResult:
        try:
            if operation == CHANNELS:
                return self._list_channels(data)
            if operation == EMULATION:
                request = pb.EmulationRequest.FromString(data)
                return SurveyResult(await self._survey_responder.emulate(request.session, request.data))
            respond = self._extension_surveys.survey_handler(operation)
            if respond is not None:
                return SurveyResult(SUCCESS, await respond(data))
        except DecodeError:
            return SurveyResult(EmulationError.BAD_REQUEST if operation == EMULATION else ChannelsError.BAD_REQUEST)
        return SurveyResult(ChannelsError.UNKNOWN_OPERATION)

    def _list_channels(self, data: bytes) -> SurveyResult:
        pattern = pb.ChannelsRequest.FromString(data).pattern
        try:
            counts = self._survey_responder.channels(pattern)
        except GlobError as error:
            log.info("invalid channel pattern", pattern=pattern, error=str(error))
            return SurveyResult(ChannelsError.BAD_REQUEST)
        channels = {channel: pb.ChannelInfo(num_clients=count) for channel, count in counts.items()}
        return SurveyResult(SUCCESS, pb.ChannelsResponse(channels=channels).SerializeToString())

    def _on_survey_response(self, message: pb.Command) -> None:
        response = message.survey_response
        self._surveys.on_answer(response.id, message.uid, SurveyResult(response.code, response.data))

    def _on_notification(self, message: pb.Command) -> None:
        """An extension: the contract has no notifications (07 §14.7)."""
        notice = message.notification
        self._extension_surveys.handle_notification(notice.op, message.uid, notice.data)

    def _run_eagerly(self, failure: str, work: Coroutine[Any, Any, None]) -> None:
        """Start at once, so that operations start in the order of their messages."""

        def log_failure(_: None, error: BaseException | None) -> None:
            if error is not None:
                log.error(failure, error=error)

        task = run_eagerly(work, log_failure)
        if task is not None:
            self._keep_task(task)

    def _run_in_task(self, failure: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(self._logged(failure, work))
        self._keep_task(task)

    def _keep_task(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _logged(self, failure: str, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:
            log.error(failure, error=error)
