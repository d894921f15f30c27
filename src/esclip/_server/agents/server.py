"""The tools behind the Model Context Protocol, by the official SDK (the extra `mcp`).

stdin, stdout ─► serve_stdio ─┐
POST /mcp ─► respond ─────────┴─► SDK ─► _call ─► a thread ─► AgentTools

By HTTP each request is answered by itself, in JSON: no session is kept, and no event stream is open that a
shutdown would have to wait for (modelcontextprotocol/python-sdk#514).
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import anyio
from pydantic import ValidationError

from esclip import __version__
from esclip._errors import EncoderError, error_text, one_line
from esclip._server.agents import arguments
from esclip._server.agents.tools import INSTRUCTIONS, AgentTools, ToolAnswer
from esclip._server.http import Message, Receive, Send
from esclip._server.problems import Problem, ProblemType, problem_of

try:
    from mcp.server.lowlevel import Server
    from mcp.server.stdio import stdio_server
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
    from mcp_types import (
        CallToolRequestParams,
        CallToolResult,
        ContentBlock,
        ImageContent,
        ListToolsResult,
        PaginatedRequestParams,
        TextContent,
        Tool,
        ToolAnnotations,
    )
except ImportError as error:
    from esclip._errors import ConfigError

    raise ConfigError("agents need the MCP SDK: pip install 'esclip[mcp]'") from error

_log = logging.getLogger("esclip")


class _Tool(NamedTuple):
    title: str
    arguments: type[arguments.Arguments]
    call: Callable[[AgentTools, Any], ToolAnswer]


_TOOLS = {
    tool.call.__name__: tool
    for tool in (
        _Tool("Search pictures", arguments.SearchPictures, AgentTools.search_pictures),
        _Tool("Similar pictures", arguments.SimilarPictures, AgentTools.similar_pictures),
        _Tool("View a picture", arguments.ViewPicture, AgentTools.view_picture),
        _Tool("Count pictures", arguments.CountPictures, AgentTools.count_pictures),
        _Tool("Describe the index", arguments.DescribeIndex, AgentTools.describe_index),
    )
}


class AgentServer:
    """The tools for one client or many."""

    def __init__(
        self,
        tools: AgentTools,
        run_in_thread: Callable[..., Awaitable[ToolAnswer]] = anyio.to_thread.run_sync,
    ) -> None:
        """Answer by these tools, which `run_in_thread` calls."""
        self._tools = tools
        self._run_in_thread = run_in_thread
        self.sdk: Server[Any] = Server(
            "esclip",
            version=__version__,
            instructions=INSTRUCTIONS,
            on_list_tools=self._list,
            on_call_tool=self._call,
        )

    async def serve_stdio(self) -> None:
        """Serve the client at stdin and stdout until it closes stdin. Nothing else reaches stdout."""
        async with stdio_server() as (read, write):
            await self.sdk.run(read, write, self.sdk.create_initialization_options())

    async def respond(self, scope: Message, receive: Receive, send: Send) -> None:
        """Respond to one HTTP request, which has been admitted."""
        manager = StreamableHTTPSessionManager(self.sdk, json_response=True, stateless=True)
        async with manager.run():
            await manager.handle_request(scope, receive, send)

    async def _list(self, context: object, parameters: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=[_describe_tool(name, tool) for name, tool in _TOOLS.items()])

    async def _call(self, context: object, parameters: CallToolRequestParams) -> CallToolResult:
        tool = _TOOLS.get(parameters.name)
        if tool is None:
            return _report_failure(f"there is no tool {one_line(parameters.name, 100)}; {', '.join(_TOOLS)}")
        try:
            wanted = tool.arguments.model_validate(parameters.arguments or {})
            answer = await self._run_in_thread(tool.call, self._tools, wanted)
        except ValidationError as error:
            return _report_failure(_describe_arguments(error))
        except Exception as error:  # any: an agent goes on after a failed call
            return _report_failure(_describe_failure(error))
        content: list[ContentBlock] = [TextContent(type="text", text=answer.text)]
        if answer.jpeg is not None:
            data = base64.b64encode(answer.jpeg).decode()
            content.append(ImageContent(type="image", data=data, mime_type="image/jpeg"))
        return CallToolResult(content=content)


def _describe_tool(name: str, tool: _Tool) -> Tool:
    return Tool(
        name=name,
        title=tool.title,
        description=" ".join((tool.call.__doc__ or "").split()),
        input_schema=tool.arguments.model_json_schema(),
        annotations=ToolAnnotations(
            read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
        ),
    )


def _report_failure(message: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=message)], is_error=True)


def _describe_arguments(error: ValidationError) -> str:
    """What is wrong with a call's arguments, in one line."""
    wrong = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:5]]
    return one_line("; ".join(wrong))


def _describe_failure(error: Exception) -> str:
    """Why a call failed, in one line without paths of this machine, as the HTTP routes say it."""
    if isinstance(error, EncoderError):
        _log.error("%s", error)
        return "the index's model can't be loaded: its server's log says why"
    problem: Problem = problem_of(error)
    if problem.kind is ProblemType.INTERNAL:
        _log.error("a tool failed: %s", error_text(error), exc_info=error)
    title, advice = problem.kind.value.title, problem.kind.value.advice
    return one_line(problem.detail or f"{title}. {advice}")
