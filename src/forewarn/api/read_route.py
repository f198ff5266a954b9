"""Routes of charts: asked so often that FastAPI's way to a parameter would cost as much as the answer."""

import inspect
from collections.abc import Callable, Coroutine
from typing import Any, Final, get_type_hints

from fastapi import Request, Response
from pydantic import TypeAdapter, ValidationError

from forewarn.api.guard import GuardedRoute
from forewarn.api.parts import parts_of

_REQUIRED: Final = inspect.Parameter.empty


class ReadRoute(GuardedRoute):
    """For `async def` GETs that return a Response and take `parts`, path and single query parameters.

    The same types check the same texts; what they refuse is asked again FastAPI's way, which words the refusal."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        refusing = super().get_route_handler()
        endpoint = self.endpoint
        hints = get_type_hints(endpoint, include_extras=True)
        fields = [
            (name, TypeAdapter(hints[name]).validate_python, parameter.default)
            for name, parameter in inspect.signature(endpoint).parameters.items()
            if name not in ("parts", "request")
        ]

        asks = "request" in inspect.signature(endpoint).parameters

        async def handle(request: Request) -> Response:
            path, query = request.path_params, request.query_params
            arguments: dict[str, Any] = {"parts": parts_of(request)} | ({"request": request} if asks else {})
            try:
                for name, checked, default in fields:
                    text = path.get(name, query.get(name))
                    if text is None and default is _REQUIRED:
                        return await refusing(request)
                    arguments[name] = default if text is None else checked(text)
            except ValidationError:
                return await refusing(request)
            answer: Response = await endpoint(**arguments)
            return answer

        return handle
