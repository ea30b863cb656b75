"""The control API under /_sandbox/: health, counters, faults, chaos, deliveries, the whole state."""

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox import state
from sandbox.chaos import Chaos
from sandbox.delivery import Deliverer
from sandbox.faults import Faults
from sandbox.http.api import Api
from sandbox.resources import webhook_endpoints


def routes(api: Api, deliverer: Deliverer, faults: Faults, chaos: Chaos) -> list[Route]:
    """The control routes; they need no key, because the sandbox listens on this machine only."""

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def requests(_: Request) -> Response:
        return JSONResponse({"total": api.requests.total(), "by_operation": dict(sorted(api.requests.items()))})

    async def deliveries(_: Request) -> Response:
        counts = {
            "pending": deliverer.pending,
            "delivered": deliverer.delivered,
            "failed": deliverer.failed,
        }
        return JSONResponse(counts)

    async def show_faults(_: Request) -> Response:
        return JSONResponse({"faults": faults.described()})

    async def add_fault(request: Request) -> Response:
        try:
            given: dict[str, Any] = orjson.loads(await request.body())
            return JSONResponse(faults.add(given).described())
        except (ValueError, TypeError, AttributeError) as error:
            return JSONResponse({"error": str(error)}, status_code=400)

    async def clear_faults(_: Request) -> Response:
        faults.clear()
        return JSONResponse({"faults": []})

    async def show_chaos(_: Request) -> Response:
        return JSONResponse(chaos.described())

    async def set_chaos(request: Request) -> Response:
        try:
            chaos.set(orjson.loads(await request.body() or b"{}"))
        except (ValueError, TypeError, AttributeError) as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        return JSONResponse(chaos.described())

    return [
        *_state_routes(api, deliverer),
        *_setting_routes(api),
        Route("/_sandbox/chaos", show_chaos, methods=["GET"]),
        Route("/_sandbox/chaos", set_chaos, methods=["POST"]),
        Route("/_sandbox/health", health),
        Route("/_sandbox/requests", requests),
        Route("/_sandbox/deliveries", deliveries),
        Route("/_sandbox/faults", show_faults, methods=["GET"]),
        Route("/_sandbox/faults", add_fault, methods=["POST"]),
        Route("/_sandbox/faults", clear_faults, methods=["DELETE"]),
    ]


def _setting_routes(api: Api) -> list[Route]:
    async def show_limits(_: Request) -> Response:
        return JSONResponse(api.store.limits.described())

    async def set_limits(request: Request) -> Response:
        try:
            api.store.limits.set(orjson.loads(await request.body() or b"{}"))
        except (ValueError, TypeError, AttributeError) as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        return JSONResponse(api.store.limits.described())

    async def roll(request: Request) -> Response:
        try:
            expires_in = float(orjson.loads(await request.body() or b"{}").get("expires_in", 0))
            secret = webhook_endpoints.roll(api, request.path_params["endpoint"], expires_in)
        except (ValueError, TypeError, AttributeError) as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        return JSONResponse({"secret": secret})

    return [
        Route("/_sandbox/limits", show_limits, methods=["GET"]),
        Route("/_sandbox/limits", set_limits, methods=["POST"]),
        Route("/_sandbox/webhook_endpoints/{endpoint}/roll", roll, methods=["POST"]),
    ]


def _state_routes(api: Api, deliverer: Deliverer) -> list[Route]:
    async def save_state(_: Request) -> Response:
        return Response(orjson.dumps(state.save(api.store)), media_type="application/json")

    async def put_state(request: Request) -> Response:
        given = orjson.loads(await request.body()) if request.method == "POST" else None
        await deliverer.stop()
        try:
            state.restore(api.store, api.log, given)
        except ValueError as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        finally:
            api.reindex()
            await deliverer.start()
        return JSONResponse({"objects": sum(1 for _ in api.store.kinds)})

    return [
        Route("/_sandbox/state", save_state, methods=["GET"]),
        Route("/_sandbox/state", put_state, methods=["POST", "DELETE"]),
    ]
