# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""A user's own numbers and groups beside what was measured."""

from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import visionbias as vb
from visionbias.analysis import add_group_means, join_columns

SUMMARY = pd.DataFrame(
    {"model": ["1", "b", "c", "d", "e", "f"], "shape_bias": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], "top1": [9, 8, 7, 6, 5, 4]}
)


def kpi(folder: Path, text: str) -> Path:
    path = folder / "kpi.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_kpi_is_matched_by_name_and_correlates(tmp_path: Path) -> None:
    path = kpi(tmp_path, "model,clicks,team\nf,1,x\ne,2,x\nd,,y\nc,4,y\nb,5,y\n1,6,z\n")
    joined = join_columns(SUMMARY, path)
    assert joined["clicks"].tolist()[:3] == [6, 5, 4]
    assert np.isnan(joined["clicks"][3])
    frame = vb.correlate(joined, features=["shape_bias"], targets=["clicks"], methods=["spearman"])
    assert frame[["rho", "n"]].to_numpy().tolist() == [[pytest.approx(-1), 5]]
    assert vb.correlate(joined, ["clicks"], ["top1"], without=["z"], category="team")["n"].tolist() == [4] * 3
    assert "clicks" not in SUMMARY


def test_models_in_the_index_and_columns_in_a_frame() -> None:
    own = pd.DataFrame({"model": list("fedcb1"), "price": range(6)})
    joined = join_columns(SUMMARY.set_index("model"), own)
    assert joined["price"].to_dict() == {"1": 5, "b": 4, "c": 3, "d": 2, "e": 1, "f": 0}


def test_columns_that_are_named_by_numbers() -> None:
    own = pd.DataFrame({"model": list("fedcb1"), 2025: range(6)})
    assert join_columns(SUMMARY, own)["2025"].tolist() == [5, 4, 3, 2, 1, 0]


def test_rows_with_more_fields_than_columns_are_not_read_shifted(tmp_path: Path) -> None:
    path = kpi(tmp_path, "model,clicks\n" + "".join(f"{model},1,7\n" for model in "1bcdef"))
    with pytest.raises(vb.DataError, match="wanted as many fields in every row as columns, got more"):
        join_columns(SUMMARY, path)


def test_names_that_do_not_match_are_named_in_one_error(tmp_path: Path) -> None:
    path = kpi(tmp_path, "model,clicks\n1,1\nB,2\nc,3\nd,4\ne,5\nextra,6\n")
    with pytest.raises(vb.DataError, match=r"2 missing here: b, f; 2 not in the table: B, extra; spell the names"):
        join_columns(SUMMARY, path)


def test_rows_of_other_models_are_left_out_with_a_warning() -> None:
    own = pd.DataFrame({"model": ["x", *"fedcb1"], "price": range(7)})
    with pytest.warns(UserWarning, match="the columns: rows left out: 1 not in the table: x"):
        assert join_columns(SUMMARY, own)["price"].tolist() == [6, 5, 4, 3, 2, 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,clicks\n1,2\n", "wanted a column 'model' with the models' names, got name, clicks"),
        ("model,top1\n1,1\nb,1\nc,1\nd,1\ne,1\nf,1\n", "has the columns top1 already"),
        ("model\n1\nb\nc\nd\ne\nf\n", "wanted one column or more beside 'model'"),
        ("model,clicks\n1,1\nb,1\nb,1\nc,1\nd,1\ne,1\nf,1\n", "the models b have two rows"),
        ("model,k,k\n1,1,2\n", "a name of its own for every column, got model,k,k; rename"),
        ("model,k,\n1,1,\n", "a name of its own for every column, got model,k,; rename"),
        ("", "cannot read the table"),
    ],
)
def test_files_that_cannot_be_joined(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(vb.DataError, match=message):
        join_columns(SUMMARY, kpi(tmp_path, text))
    with pytest.raises(vb.DataError, match="cannot read the table"):
        join_columns(SUMMARY, tmp_path)


@pytest.mark.parametrize("place", ["http://127.0.0.1:9/kpi.csv", "s3://bucket/kpi.csv"])
def test_only_local_files_are_read(place: str) -> None:
    with pytest.raises(vb.DataError, match=r"cannot read the table .* No such file"):
        join_columns(SUMMARY, place)


def test_decimal_commas_are_named_when_they_are_used(tmp_path: Path) -> None:
    path = kpi(tmp_path, 'model,clicks\n1,"1,5"\nb,2\nc,2\nd,2\ne,2\nf,2\n')
    with pytest.raises(vb.DataError, match=r"'clicks' must hold numbers, got '1,5'.*decimals with a point"):
        vb.correlate(join_columns(SUMMARY, path), ["clicks"], ["top1"])


def test_groups_average_their_members() -> None:
    table = SUMMARY.assign(other=[1, 2, np.nan, 4, 5, 6])
    grouped = add_group_means(table, {"mine": ["top1", "other"], "alone": ["top1"]})
    assert grouped["mine"].tolist()[:2] == [5, 5]
    assert grouped["mine"].isna().tolist() == [False, False, True, False, False, False]
    assert grouped["alone"].tolist() == table["top1"].tolist()


def test_groups_that_cannot_be_made() -> None:
    with pytest.raises(vb.DataError, match="has the columns top1 already"):
        add_group_means(SUMMARY, {"top1": ["shape_bias"]})
    with pytest.raises(vb.DataError, match="no column nothing"):
        add_group_means(SUMMARY, {"mine": ["top1", "nothing"]})
    with pytest.raises(vb.DataError, match="group 'mine' must be a list of names, got 'top1'"):
        add_group_means(SUMMARY, {"mine": "top1"})
    with pytest.raises(vb.DataError, match=r"groups must be a dict by name, got \['top1'\]"):
        add_group_means(SUMMARY, ["top1"])  # type: ignore[arg-type]


def test_categories_and_decimals_of_a_file_and_a_frame(tmp_path: Path) -> None:
    joined = join_columns(SUMMARY, kpi(tmp_path, "model,category,clicks\n1,1,1\nb,,2\nc,2,3\nd,2,4\ne,2,5\nf,2,6\n"))
    assert joined["category"].dropna().tolist() == ["1", "2", "2", "2", "2"]
    joined_again = join_columns(
        SUMMARY, kpi(tmp_path, "model,category,clicks\n1,None,1\nb,NA,2\nc,x,3\nd,,4\ne,x,5\nf,x,6\n")
    )
    assert joined_again["category"].dropna().tolist() == ["None", "NA", "x", "x", "x"]
    with pytest.raises(vb.DataError, match="a row has no model's name"):
        join_columns(SUMMARY, kpi(tmp_path, "model,clicks\n1,1\nb,2\nc,3\nd,4\ne,5\nf,6\n,\n"))
    assert vb.correlate(joined, ["clicks"], ["top1"], without=np.array(["1"]))["n"].tolist() == [5] * 3
    prices = pd.DataFrame({"model": list("1bcdef"), "price": [Decimal(i) / 3 for i in range(6)]})
    assert vb.correlate(join_columns(SUMMARY, prices), ["price"], ["top1"])["rho"].tolist() == pytest.approx([-1.0] * 3)


def test_a_model_may_be_named_as_missing_numbers_are(tmp_path: Path) -> None:
    table = pd.DataFrame({"model": ["NA", "null"], "top1": [0.5, 0.6]})
    joined = join_columns(table, kpi(tmp_path, "model,clicks\nNA,3\nnull,\n"))
    assert joined["clicks"].tolist()[0] == 3
    assert np.isnan(joined["clicks"].tolist()[1])
