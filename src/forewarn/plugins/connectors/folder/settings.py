"""What a folder source's table in the plant file may say."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class FolderSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path = Field(description="The folder that is watched.")
    pattern: tuple[str, ...] = Field(
        ("*.csv", "*.parquet"), min_length=1, description="Names that are taken; .parquet is Parquet, all else CSV."
    )
    scan_s: float = Field(2.0, gt=0, description="Pause between two looks into the folder.")
    complete: Literal["stable", "renamed", "marker"] = Field(
        "stable",
        description="A file is complete when its size and time stayed the same for stable_s; as soon as it is there, "
        "because it is renamed into place; when a file <name>.done lies beside it.",
    )
    stable_s: float = Field(5.0, ge=0, description="How long a file must not change to be complete.")
    follow: bool = Field(False, description="CSV files grow for ever: take each line as soon as it is complete.")
    afterwards: Literal["leave", "move", "delete"] = Field(
        "leave", description="What becomes of a file that is stored."
    )
    done_folder: Path | None = Field(None, description="Where moved files go; the folder `done` in path without one.")
    state_file: Path | None = Field(
        None, description="What is stored already; `.forewarn-<source>.json` in path without one."
    )
    layout: Literal["auto", "wide", "long"] = Field(
        "auto", description="wide: a column a signal. long: columns time, signal_id, value and perhaps quality."
    )
    columns: Mapping[str, str] = Field(
        default_factory=dict, description="wide: column -> address. long: our column names -> the file's."
    )
    address: str = Field(
        "{column}",
        description="Address of a column not named in columns; {column}, {file} (the name without its ending) and the "
        "groups of file_groups are filled in.",
    )
    file_groups: str | None = Field(
        None, description="Regular expression over the file's name; its named groups serve address."
    )
    time_column: str | None = Field(
        None, description="Column of the time; time, timestamp, datetime or date without one."
    )
    time_format: str = Field(
        "auto",
        description="auto (RFC 3339, or a number told by its size), s, ms, us, ns since 1970, or as in strptime: "
        "%d.%m.%Y %H:%M:%S",
    )
    time_zone: str = Field("UTC", description="Zone of times that do not say theirs, such as Europe/Berlin.")
    names: tuple[str, ...] = Field((), description="CSV: column names where the file has no line of names.")
    skip_lines: int = Field(0, ge=0, description="CSV: lines before the line of names, or before the first row.")
    delimiter: Literal["auto", ",", ";", "\t", "|"] = Field("auto", description="CSV: what stands between two fields.")
    decimal: Literal[".", ","] = Field(".", description="CSV: the decimal mark.")
    encoding: Literal["utf-8", "latin-1", "cp1252"] = Field("utf-8", description="CSV: how text is written.")
    missing: tuple[str, ...] = Field(
        ("", "NA", "NaN", "nan", "null", "NULL", "None", "-"), description="CSV: fields that mean: no value."
    )
    empty: Literal["bad", "skip"] = Field("bad", description="A missing value is a bad reading, or none at all.")
    chunk_rows: int = Field(10_000, ge=1, le=1_000_000, description="Rows that are stored at once.")

    def follows(self, file: Path) -> bool:
        """Parquet is written at its end: such a file does not grow."""
        return self.follow and file.suffix.lower() != ".parquet"

    @field_validator("time_zone")
    @classmethod
    def _zone_exists(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"{name!r} is no time zone: write it as Europe/Berlin") from None
        return name

    @field_validator("time_format")
    @classmethod
    def _format_is_known(cls, text: str) -> str:
        if text not in ("auto", "s", "ms", "us", "ns") and "%" not in text:
            raise ValueError(f"{text!r} is none of auto, s, ms, us, ns and has no % as in %d.%m.%Y %H:%M:%S")
        return text

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.follow and self.afterwards != "leave":
            raise ValueError("follow = true leaves the files where they are: remove afterwards, or follow")
        if self.follow and self.complete != "stable":
            raise ValueError("follow = true does not wait until a file is complete: remove complete, or follow")
        if self.decimal == "," and self.delimiter == ",":
            raise ValueError("decimal and delimiter are both a comma: set delimiter = ';'")
        if self.layout == "wide" and len(set(self.columns.values())) != len(self.columns):
            raise ValueError("columns maps two columns to one address: remove one of them")
        self._check_address()
        return self

    def _check_address(self) -> None:
        try:
            groups = re.compile(self.file_groups or "").groupindex
            self.address.format(column="c", file="f", **dict.fromkeys(groups, "g"))
        except re.error as error:
            raise ValueError(f"file_groups is no regular expression: {error}") from None
        except (KeyError, IndexError, ValueError) as error:
            raise ValueError(
                f"address {self.address!r} cannot be filled in ({error}): known are {{column}}, {{file}} and the "
                "named groups of file_groups"
            ) from None
