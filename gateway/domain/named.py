"""Enumerations whose values are their names: they reach disk and wire as they are written."""

from enum import StrEnum


class Named(StrEnum):
    @staticmethod
    def _generate_next_value_(name: str, *_: object) -> str:
        return name
