"""Parquet: what a file's rows take in memory. Equal values are stored once, so a small file may hold any number."""

from collections.abc import Iterator
from pathlib import Path

from sparring.data.room import refuse_beyond_memory

REMEDY = "take fewer rows, or leave columns out"
_NUMBER = 8
"""Bytes of a number, a date or a reference to a text."""

_AT_ONCE = 64
"""Rows of a column of lists that are unpacked to be measured."""


def refuse_large(path: Path) -> None:
    """Refuses a file whose rows take more memory than there is, before they are unpacked, or whose texts are none.

    Raises:
        DataError: they do.
        OSError, ValueError, IndexError: it is no such file, or texts and references to them are damaged.
    """
    from pyarrow import types
    from pyarrow.parquet import ParquetFile

    with ParquetFile(path) as file:
        told, fields = file.metadata, list(file.schema_arrow)
        size = told.num_rows * told.num_columns * _NUMBER
        size += sum(told.row_group(group).total_byte_size for group in range(told.num_row_groups))
    tests = (types.is_string, types.is_binary, types.is_large_string, types.is_large_binary)
    texts = [field.name for field in fields if any(test(field.type) for test in tests)]
    with ParquetFile(path, read_dictionary=texts) as file:
        for field in fields:
            if types.is_fixed_size_binary(field.type):
                size += told.num_rows * field.type.byte_width
            refuse_beyond_memory(size, f"'{path}'", REMEDY)
            if field.name in texts:
                size += sum(_lengths(file, field.name))
            elif types.is_nested(field.type) or types.is_dictionary(field.type):
                for batch in file.iter_batches(_AT_ONCE, columns=[field.name]):
                    batch.validate(full=True)
                    size += batch.nbytes
                    refuse_beyond_memory(size, f"'{path}'", REMEDY)
    refuse_beyond_memory(size, f"'{path}'", REMEDY)


def _lengths(file, name: str) -> Iterator[int]:
    """Bytes of the texts of a column, a piece at a time; each different text is read once."""
    from pyarrow import compute

    for group in range(file.metadata.num_row_groups):
        for column in file.read_row_group(group, columns=[name]).columns:
            for piece in column.chunks:
                piece.validate(full=True)
                lengths = compute.call_function("binary_length", [piece.dictionary])
                yield compute.call_function("sum", [lengths.take(piece.indices)]).as_py() or 0
