"""Statements that run with every report: compiled once, then given to the driver as they are.

SQLAlchemy spends several times more on an execution than SQLite on the statement itself.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Dialect
from sqlalchemy.sql import Executable

Record = dict[str, Any]
"""A row, by the names of its columns."""
_Convert = Callable[[Any], Any]


@dataclass(frozen=True)
class _Form:
    """A statement in one engine's words."""

    sql: str
    fixed: Mapping[str, Any]
    """Parameters that the statement itself gives."""
    defaults: Mapping[str, Callable[[Any], Any]]
    """Parameters that the table's columns give, from the others."""
    order: Sequence[str] | None
    """Names of the parameters in the driver's order; None where it takes them by name."""
    into: Mapping[str, _Convert]
    """How the values of some parameters are told to the driver."""
    columns: Sequence[tuple[str, _Convert | None]]
    """Names of what it returns, and how values come from the driver."""

    def parameters(self, values: Mapping[str, Any]) -> Any:
        found = {**self.fixed, **values}
        for name, default in self.defaults.items():
            found[name] = default(_Given(values))
        for name, convert in self.into.items():
            found[name] = convert(found[name])
        return found if self.order is None else [found[name] for name in self.order]

    def decode(self, rows: Iterable[Sequence[Any]]) -> list[Record]:
        return [
            {
                name: value if convert is None else convert(value)
                for (name, convert), value in zip(self.columns, row, strict=True)
            }
            for row in rows
        ]


@dataclass(frozen=True)
class _Given:
    """What a column's default may ask for."""

    values: Mapping[str, Any]

    def get_current_parameters(self) -> Mapping[str, Any]:
        return self.values


@dataclass(frozen=True)
class Call:
    """A statement with its parameters, as the driver takes them."""

    sql: str
    parameters: Any = None
    decode: Callable[[Iterable[Sequence[Any]]], list[Record]] = lambda _rows: []
    """Makes records of the rows that it returns."""


class Prepared:
    """A Core statement, or a function from the engine's name to one, whose parameters are given by name.

    Each set of names is compiled once per engine: build it at module level, never per call. Lists (IN) cannot be parameters.
    """

    def __init__(self, statement: Executable | Callable[[str], Executable]) -> None:
        self._statement = statement
        self._forms: dict[tuple[str, ...], _Form] = {}

    def call(self, dialect: Dialect, values: Mapping[str, Any]) -> Call:
        """What to give to the driver for these values. Raises KeyError when a parameter is missing."""
        key = (dialect.name, *values)
        form = self._forms.get(key)
        if form is None:
            form = self._forms[key] = _form(self._in(dialect), dialect, list(values))
        return Call(form.sql, form.parameters(values), form.decode)

    def _in(self, dialect: Dialect) -> Any:
        return self._statement if isinstance(self._statement, Executable) else self._statement(dialect.name)


def _form(statement: Any, dialect: Dialect, names: list[str]) -> _Form:
    compiled: Any = statement.compile(dialect=dialect, column_keys=names)
    binds = {name: bind.type.dialect_impl(dialect) for bind, name in compiled.bind_names.items()}
    converts = {name: kind.bind_processor(dialect) for name, kind in binds.items()}
    by_columns = {column.key: column.default.arg for column in getattr(compiled, "insert_prefetch", ())}
    missing = [
        name for bind, name in compiled.bind_names.items() if bind.required and name not in (*names, *by_columns)
    ]
    if missing:
        raise KeyError(missing[0])
    converted = dialect.name == "sqlite"  # the other driver does it itself
    returned = [(column.key, column.type.dialect_impl(dialect)) for column in statement.exported_columns]
    return _Form(
        sql=str(compiled),
        fixed={name: bind.value for bind, name in compiled.bind_names.items() if not bind.required},
        defaults=by_columns,
        order=compiled.positiontup,
        into={name: convert for name, convert in converts.items() if convert is not None},
        columns=[(name, kind.result_processor(dialect, None) if converted else None) for name, kind in returned],
    )
