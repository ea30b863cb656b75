"""The gateway's own application: the GraphQL endpoint, GraphiQL, and health."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from gateway import examples, health
from gateway.admission import Admission
from gateway.endpoint import Endpoint
from gateway.execution import Service
from gateway.live import Socket, Streams
from gateway.runtime import Runtime, open_runtime
from gateway.settings import Settings
from gateway.wire import JSON, BadRequestError, refusal, respond
from pages import graphiql

PATH = "/graphql"


async def _graphql(request: Request) -> Response:
    wants_page = request.method == "GET" and "query" not in request.query_params
    if wants_page and "text/html" in request.headers.get("accept", ""):
        return graphiql.respond(endpoint=PATH, examples=examples.EXAMPLES)
    endpoint: Endpoint = request.app.state.endpoint
    return await endpoint(request)


async def _root(request: Request) -> Response:
    """A person's browser is led to GraphiQL; a program is told that here is nothing."""
    if "text/html" in request.headers.get("accept", ""):
        return RedirectResponse(PATH, status_code=302, headers={"Cache-Control": "no-store", "Vary": "Accept"})
    error = BadRequestError(404, "NOT_FOUND", f"There is nothing here: the API is at {PATH}.")
    return respond(refusal(error), error.status, JSON, {"Vary": "Accept"})


async def _http_error(_: Request, error: Exception) -> Response:
    """No route, or not by this method: in the form of every other refusal, with its headers."""
    assert isinstance(error, HTTPException)
    codes = {404: ("NOT_FOUND", "There is nothing here."), 405: ("METHOD_NOT_ALLOWED", "Not by this method.")}
    code, message = codes[error.status_code]
    told = refusal(BadRequestError(error.status_code, code, message))
    return respond(told, error.status_code, JSON, dict(error.headers or {}))


def endpoint_of(runtime: Runtime) -> Endpoint:
    """The endpoint over what a process holds."""
    service = Service(runtime)
    return Endpoint(service, Admission(runtime.authenticator), Streams(service))


async def graphql_socket(websocket: WebSocket) -> None:
    """The same endpoint over WebSocket."""
    endpoint: Endpoint = websocket.app.state.endpoint
    await Socket(websocket, endpoint.service, endpoint.admission, endpoint.streams).run()


def create_app(settings: Settings) -> Starlette:
    """The application; it opens its resources when it starts and closes them when it ends."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with open_runtime(settings) as runtime:
            app.state.database = runtime.database
            app.state.endpoint = endpoint_of(runtime)
            yield

    routes = [
        Route("/", _root, methods=["GET"]),
        Route(PATH, _graphql, methods=["GET", "POST", "OPTIONS"]),
        WebSocketRoute(PATH, graphql_socket),
        graphiql.static_files(),
        *health.routes(),
    ]
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers={404: _http_error, 405: _http_error})
