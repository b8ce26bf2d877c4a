"""The door for users' tables: what is read, and what is refused in one printable line."""

import bz2
import csv
import gzip
import io
import lzma
import math
import tarfile
import zipfile

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit import tabular
from toolkit.schema import InputError

PLAIN = "name,value\na,1\nb,2\n"


def refused(source, **how) -> str:
    """Return the message with which a table is refused: one printable line."""
    with pytest.raises(InputError) as problem:
        tabular.table(source, "t.csv", **how)
    message = str(problem.value)
    assert message.isprintable() and len(message) <= 300 and message.startswith("t.csv") and "Fix: " in message
    return message


# Numbers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.435", 0.435),
        ("1,250.50", 1250.5),
        ("1,250", 1250),
        ("1,234,567.8", 1234567.8),
        ("-7", -7),
        ("+7", 7),
        (" 3 ", 3),
        ("\N{MINUS SIGN}3", -3),
        (".5", 0.5),
        ("5.", 5),
        ("1e-05", 1e-5),
        ("2E3", 2000),
        ("010", 10),
        ("0", 0),
        ("0e0", 0),
        (3, 3),
        (np.float32(0.5), 0.5),
        (np.int64(4), 4),
    ],
)
def test_numbers_are_read(text, value):
    assert tabular.number(text, "cell") == value


@pytest.mark.parametrize(
    ("text", "value"), [("£1,250.50", 1250.5), ("12%", 0.12), ("-£3", -3), ("£-3", -3), ("£ 4", 4), ("5 %", 0.05)]
)
def test_pounds_and_per_cents_are_read_where_people_type(text, value):
    assert tabular.number(text, "cell", signs=True) == value
    with pytest.raises(InputError, match="not a number"):
        tabular.number(text, "cell")


@pytest.mark.parametrize("text", ["0,435", "1.250,50", "1,5,0", "140,0", "1,25", "0,5", "12,3456", "1,,000", "01,250"])
def test_commas_that_part_no_thousands_are_refused_with_a_hint(text):
    for signs in (True, False):
        with pytest.raises(InputError, match=r"cell: '.*' is not a number\. Fix: write decimals with a point"):
            tabular.number(text, "cell", signs=signs)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        None,
        math.nan,
        "0x1F",
        "1:30",
        "1e308",
        "-1e308",
        "1e16",
        "inf",
        "-Infinity",
        "nan",
        "NaN",
        "1_000",
        "1 000",
        "1\N{NO-BREAK SPACE}000",
        "\N{ARABIC-INDIC DIGIT THREE}",
        "\uff11\uff12",
        "²",
        "e5",
        ".",
        "-",
        "--1",
        "1e",
        "1e1000",
        "1e-400",
        "9" * 4300,
        10**400,
        math.inf,
        True,
        np.True_,
        "True",
        "=1+1",
        "12 apples",
        "1\n2",
        "\ud800",
        "\x00",
        "£5",
        "(5)",
        pd.NA,
        [1],
        "1.2.3",
        "5%%",
    ],
)
def test_what_is_no_number_is_refused_in_one_short_line(text):
    with pytest.raises(InputError) as problem:
        tabular.number(text, "cell")
    message = str(problem.value)
    assert message.startswith("cell: ") and message.isprintable() and len(message) < 200 and "Fix: " in message


def test_bounds_are_part_of_a_number():
    assert tabular.number("1", "cell", low=0, high=1) == 1
    for text in ("1.01", "-0.01", 2):
        with pytest.raises(InputError, match="is not between 0 and 1"):
            tabular.number(text, "cell", low=0, high=1)


@given(st.floats(-1e15, 1e15) | st.integers(-(10**15), 10**15))
def test_every_way_in_which_python_writes_a_number_is_read_back(value):
    assert tabular.number(repr(value), "cell") == value
    assert tabular.number(f"{value:,}", "cell") == value


@given(st.text(max_size=80))
def test_any_text_is_a_number_or_refused(text):
    try:
        assert abs(tabular.number(text, "cell", signs=True)) <= tabular.MOST
    except InputError as problem:
        assert str(problem).isprintable()


def test_a_column_of_numbers_names_line_and_column():
    found = tabular.table("a,b\n1,2\n3,x\n", "t.csv")
    np.testing.assert_array_equal(tabular.numbers(found["a"], "t.csv"), [1, 3])
    with pytest.raises(InputError, match=r"t\.csv, line 3, column 'b': 'x' is not a number"):
        tabular.numbers(found["b"], "t.csv")


def test_a_long_message_is_cut_to_its_first_lines():
    message = tabular.brief("\n".join(["x" * 1000, "\ud800", *"abcdefghijk"])).split("\n")
    assert len(message) == 11 and message[-1] == "and 3 more"
    assert all(line.isprintable() and len(line) <= 300 for line in message)


# What kind of file -----------------------------------------------------------------------------------


def test_usual_encodings_give_the_same_table(tmp_path):
    text = "name,value\ncaf\N{LATIN SMALL LETTER E WITH ACUTE},£1\n"
    expected = tabular.table(text, "t.csv")
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"):
        path = tmp_path / f"{encoding}.csv"
        path.write_bytes(text.encode(encoding))
        pd.testing.assert_frame_equal(tabular.table(path), expected)
    pd.testing.assert_frame_equal(tabular.table("\ufeff" + text, "t.csv"), expected)
    pd.testing.assert_frame_equal(tabular.table(text.replace("\n", "\r\n").encode(), "t.csv"), expected)
    pd.testing.assert_frame_equal(tabular.table(text.replace("\n", "\r").encode(), "t.csv"), expected)


def zipped(name: str = "t.csv") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, PLAIN)
    return stream.getvalue()


def workbook() -> bytes:
    stream = io.BytesIO()
    openpyxl.Workbook().save(stream)
    return stream.getvalue()


def tarred() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        information = tarfile.TarInfo("t.csv")
        information.size = len(PLAIN)
        archive.addfile(information, io.BytesIO(PLAIN.encode()))
    return stream.getvalue()


OTHER = {
    "a gzip archive": gzip.compress(PLAIN.encode()),
    "a bzip2 archive": bz2.compress(PLAIN.encode()),
    "an xz archive": lzma.compress(PLAIN.encode()),
    "a Zstandard archive": b"\x28\xb5\x2f\xfd\x04\x00" + PLAIN.encode(),
    "a zip archive": zipped(),
    "an OpenDocument file": zipped("content.xml"),
    "an Excel workbook": workbook(),
    "an old Excel workbook": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512),
    "a tar archive": tarred(),
    "a PDF document": b"%PDF-1.7\n1 0 obj",
    "a Parquet file": b"PAR1\x15\x04",
    "an HDF5 or netCDF file": b"\x89HDF\r\n\x1a\n",
    "a web page": b"\n<!DOCTYPE html><html>",
}


@pytest.mark.parametrize("kind", list(OTHER))
def test_other_kinds_of_file_are_named_whatever_they_are_called(kind):
    assert kind in refused(OTHER[kind])


def test_headings_like_the_first_bytes_of_an_archive_are_only_headings():
    for head in ("PAR1", "BZh", "CDF", "ARROW1", "Rar!"):
        assert list(tabular.table(f"{head},b\n1,2\n".encode(), "t.csv")) == [head, "b"]


@pytest.mark.parametrize("sign", ["\0", "\x07", "\x1b", "\x85", "\u2028", "\u202e", "\ud800", "\uffff", "\x0c"])
def test_control_characters_are_refused_by_line(sign):
    assert f"line 2 holds the control character U+{ord(sign):04X}" in refused(f"a,b\n1,x{sign}\n")


def test_bytes_that_are_no_text_are_refused():
    assert "not a text file" in refused(b"a,b\n\x81\x8d,1\n")
    assert "t.csv" in refused(b"\xff\xfe\x00garbage")
    assert "t.csv" in refused(bytes(range(256)) * 4)


def test_files_that_cannot_be_opened_or_are_too_large_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        tabular.table(tmp_path / "none.csv")
    with pytest.raises(InputError, match="cannot be read"):
        tabular.table(tmp_path)
    path = tmp_path / "large.csv"
    path.write_text(PLAIN)
    with pytest.raises(InputError, match="larger than 1e-05 MB"):
        tabular.table(path, largest=10)
    assert "larger than" in refused(PLAIN, largest=10)


def test_a_name_that_cannot_be_printed_is_escaped(tmp_path):
    with pytest.raises(InputError, match=r"\\udc80") as problem:
        tabular.table(tmp_path / "\udc80.csv")
    assert str(problem.value).isprintable()


# Rows and columns --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        PLAIN.replace(",", "\t"),
        PLAIN.replace(",", ";"),
        PLAIN + ",\n,\n" * 3 + "\n",
        PLAIN + '"",""\n',
        "name,value,,\na,1,,\nb,2,,\n",
        'name,value\n"a","1"\nb , 2\n',
        "sep=;\nname;value\na;1\nb;2\n",
    ],
)
def test_one_table_in_all_its_forms(text):
    found = tabular.table(text, "t.csv", needs=["name"])
    assert found.to_numpy().tolist() == [["a", "1"], ["b", "2"]] and list(found) == ["name", "value"]


def test_rows_are_numbered_as_an_editor_does():
    found = tabular.table('\n\na,b\n1,2\n"3\n3",4\n\n5,6\n', "t.csv", gaps=True)
    assert found.index.tolist() == [4, 5, 8] and found["a"].tolist() == ["1", "3\n3", "5"]


def test_semicolons_with_decimal_commas():
    found = tabular.table("name;value;note\nx, y;0,435;2,5 a\nb;1.250,50;\nc;1,250;\nd;7;\n", "t.csv")
    assert found["value"].tolist() == ["0.435", "1250.50", "1.250", "7"]
    assert found["name"].tolist()[0] == "x, y" and found["note"].tolist()[0] == "2,5 a"
    kept = tabular.table("name;value\nb;1,250.5\nc;1,250\n", "t.csv")
    assert kept["value"].tolist() == ["1,250.5", "1,250"]
    assert "thousands or decimals" in refused("name;value\na;1,250\n")
    assert "thousands or decimals" in refused("name;value\na;1.250\n")
    assert "comma ('0,5', line 2) and with a point ('0.5', line 3)" in refused("name;value\na;0,5\nb;0.5\n")


def test_a_comma_in_a_heading_does_not_hide_semicolons():
    assert list(tabular.table("Cost, £;Effect\n100;5\n", "t.csv")) == ["Cost, £", "Effect"]


BAD = {
    "": "empty",
    "\n\n": "empty",
    "a,b\n": "only a line of headings",
    "a,b\n,\n": "only a line of headings",
    "a,b\n1,2\n\n3,4\n": "line 3: blank, but rows follow",
    "a,b\n1,2,3\n": "line 2: 3 cells for 2 columns",
    "a,,b\n1,2,3\n": "column 2 has no name",
    "a,b,a\n1,2,3\n": "column 'a' is there twice",
    "1,0.5\n2,0.6\n": "numbers where the names",
    'a,b\n"1,2\n': "not readable as cells separated by commas",
    'a,b\n"1"x,2\n': "not readable as cells separated by commas",
    ",".join(f"a{place}" for place in range(5_001)) + "\n1\n": "more than",
}


@pytest.mark.parametrize("limit", [131_072, 10_000_000])
@pytest.mark.parametrize("separator", [",", ";"])
def test_cells_longer_than_a_spreadsheet_holds_are_refused_whatever_another_library_allows(limit, separator):
    before = csv.field_size_limit(limit)
    try:
        longest = tabular.table(f"a{separator}b\n{'x' * 32_767}{separator}1\n", "t.csv")
        assert longest.loc[2].tolist() == ["x" * 32_767, "1"]
        for size in (32_768, 200_000):
            text = f"a{separator}b\n1{separator}2\n{'x' * size}{separator}1\n"
            assert "line 3: a cell longer than 32,767 characters. Fix: shorten it" in refused(text)
    finally:
        csv.field_size_limit(before)


@pytest.mark.parametrize("text", list(BAD), ids=[text[:12] for text in BAD])
def test_bad_tables_are_refused(text):
    assert BAD[text] in refused(text)


def test_columns_are_found_in_any_case_and_missing_or_unknown_ones_named():
    found = tabular.table("Price Year,VALUE\n2025/26,1\n", "t.csv", needs=["value"], allows=["price_year"])
    assert list(found) == ["price_year", "value"]
    assert "no column value ('valeu' is not it)" in refused("valeu,b\n1,2\n", needs=["value"])
    assert "column 'valeu' is not known here. Fix: did you mean value?" in refused("valeu,b\n1,2\n", allows=["value"])
    assert "twice" in refused("Value,value\n1,2\n", needs=["value"])


def test_messages_echo_no_more_than_an_excerpt():
    for text in ("x" * 100_000 + ",b\n1,2\n", ("y" * 300 + ",") * 300 + "\n1\n", "a,b\n" + "z," * 4_000 + "1\n"):
        refused(text, needs=["value"])
    with pytest.raises(InputError) as problem:
        tabular.number("9" * 100_000, "cell")
    assert len(str(problem.value)) < 200


@given(st.binary(max_size=200) | st.text(alphabet=st.sampled_from('a1,;\t\n\r".€\0 '), max_size=60))
def test_any_content_is_a_table_or_refused_in_one_line(content):
    try:
        tabular.table(content, "t.csv")
    except InputError as problem:
        assert str(problem).isprintable() and len(str(problem)) <= 300
