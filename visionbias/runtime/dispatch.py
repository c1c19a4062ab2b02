# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The table in which an op lists its backends, best first, and by which a call finds the one that serves it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from visionbias.errors import BackendError

S = TypeVar("S")  # what an op asks of a backend: shapes, dtypes, device
K = TypeVar("K")  # what a backend prepares for it: an object with `run`

AUTO = "auto"
Use = Literal["auto", "by name", "refuses"]
BY_NAME = "it is used only when asked for by name"
NOT_MEASURED = "it is not measured on such a GPU, so auto takes torch there; ask for it by name"
_CHOSEN: dict[str, set[str]] = {}  # op -> backends that "auto" has picked in this process


def accept(spec: object) -> str | None:  # noqa: ARG001
    """The `refuse` of a backend that serves every call."""
    return None


def unmeasured(spec: object) -> str | None:  # noqa: ARG001
    """The `fastest` of an op whose table is in the best order for every call."""
    return None


@dataclass(frozen=True)
class Impl(Generic[S, K]):
    """One backend of an op."""

    make: Callable[[S], K]  # prepares what does not depend on the values: masks, scales, tables
    refuse: Callable[[S], str | None] = accept  # why it cannot serve the call, in one sentence, or None
    on_request: bool = False  # never picked by "auto"
    why: str = BY_NAME  # the reason for that in support tables


class Op(Generic[S, K]):
    """Backends of one op in the order in which `backend="auto"` tries them, after the one that `fastest` names."""

    def __init__(
        self, name: str, impls: Mapping[str, Impl[S, K]], fastest: Callable[[S], str | None] = unmeasured
    ) -> None:
        self.name = name
        self.impls = dict(impls)
        self.fastest = fastest  # what measurements show for such a call, or None; it is picked even if on request

    def pick(self, spec: S, backend: str = AUTO) -> tuple[str, Impl[S, K]]:
        """Name and entry of the backend that serves `spec`.

        Raises:
            BackendError: there is no backend of that name, or it (for "auto": each) refuses; says why, per backend.
        """
        if backend != AUTO:
            if not isinstance(backend, str) or backend not in self.impls:
                names = ", ".join(repr(name) for name in (AUTO, *self.impls))
                raise BackendError(f"{self.name}: backend must be one of {names}, got {backend!r}")
            impl = self.impls[backend]
            if reason := impl.refuse(spec):
                raise BackendError(f"{self.name}: backend {backend!r} refuses: {reason}; try backend='auto'")
            return backend, impl
        reasons: dict[str, str] = {}
        fastest = self.fastest(spec)
        for name in self._order(fastest):
            impl = self.impls[name]
            if impl.on_request and name != fastest:
                reasons[name] = _why(impl, fastest)
            elif reason := impl.refuse(spec):
                reasons[name] = reason
            else:
                _CHOSEN.setdefault(self.name, set()).add(name)
                return name, impl
        raise BackendError(f"{self.name}: no backend serves this call: {reasons}")

    def support(self, spec: S) -> dict[str, tuple[Use, str]]:
        """Of each backend, whether it would serve `spec`: whether "auto" takes it, or else why not."""
        found: dict[str, tuple[Use, str]] = {}
        first, fastest = None, self.fastest(spec)
        for name in self._order(fastest):
            impl = self.impls[name]
            if reason := _reason(impl, spec):
                found[name] = "refuses", reason
            elif impl.on_request and name != fastest:
                found[name] = "by name", _why(impl, fastest)
            elif first:
                found[name] = "by name", f"{first} comes first"
            else:
                first, found[name] = name, ("auto", "")
        return {name: found[name] for name in self.impls}

    def _order(self, fastest: str | None) -> list[str]:
        return sorted(self.impls, key=lambda name: name != fastest)  # stable


def _why(impl: Impl[S, K], fastest: str | None) -> str:
    """Why "auto" does not take a backend on request."""
    return f"{fastest} is measured to be faster here" if fastest and impl.why == NOT_MEASURED else impl.why


def _reason(impl: Impl[S, K], spec: S) -> str | None:
    """Why a backend cannot serve a call, broken installations included."""
    try:
        return impl.refuse(spec)
    except BackendError as error:
        return str(error)


def chosen_backends() -> dict[str, list[str]]:
    """The backends that `"auto"` has picked in this process, for each op, sorted."""
    return {op: sorted(names) for op, names in sorted(_CHOSEN.items())}
