"""DIOR-R annotations: a real one, round about it the damaged and the hostile ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from swathe.datasets import dior_r
from swathe.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

OBJECT = """
  <object>
    <name>Expressway-Service-area</name>
    <difficult>0</difficult>
    <angle>77</angle>
    <type>robndbox</type>
    <robndbox>
      <x_left_top>10</x_left_top><y_left_top>20.5</y_left_top>
      <x_right_top>110</x_right_top><y_right_top>20</y_right_top>
      <x_right_bottom>110</x_right_bottom><y_right_bottom>70</y_right_bottom>
      <x_left_bottom>10</x_left_bottom><y_left_bottom>70</y_left_bottom>
    </robndbox>
  </object>"""


def annotation(tmp_path: Path, body: str, head: str = '<?xml version="1.0"?>') -> Path:
    path = tmp_path / "00001.xml"
    path.write_text(f"{head}<annotation><filename>00001.jpg</filename>{body}</annotation>")
    return path


def test_objects(tmp_path: Path) -> None:
    marked = OBJECT.replace("<difficult>0", "<difficult>1").replace("Expressway-Service-area", "ship")
    bare = OBJECT.replace("<difficult>0</difficult>", "").replace("<angle>77</angle>", "")
    polygons, classes, difficult = dior_r.read_labels(annotation(tmp_path, OBJECT + marked + bare))
    assert polygons[0].tolist() == [[10, 20.5], [110, 20], [110, 70], [10, 70]]
    assert classes == ("expressway-service-area", "ship", "expressway-service-area")
    assert difficult.tolist() == [False, True, False]


def test_no_objects(tmp_path: Path) -> None:
    polygons, classes, difficult = dior_r.read_labels(annotation(tmp_path, ""))
    assert (polygons.shape, classes, difficult.shape) == ((0, 4, 2), (), (0,))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("<y_right_top>20</y_right_top>", "", "<y_right_top>"),
        ("<y_right_top>20<", "<y_right_top>left<", "not a number"),
        ("<y_right_top>20<", "<y_right_top>nan<", "not a finite number"),
        ("robndbox>", "bndbox>", "horizontal boxes"),
        ("Expressway-Service-area", " ", "no <name>"),
        ("<difficult>0", "<difficult>yes", "must be 0, 1 or 2"),
    ],
)
def test_damaged_objects_are_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = annotation(tmp_path, OBJECT + OBJECT.replace(old, new))
    with pytest.raises(SourceError, match=said) as caught:
        dior_r.read_labels(path)
    assert f"{path}, object 2" in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entity_bombs_are_refused(tmp_path: Path, encoding: str) -> None:
    bomb = (
        f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE annotation [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'
        "<annotation><object><name>&b;</name></object></annotation>"
    )
    path = tmp_path / "00001.xml"
    path.write_bytes(bomb.encode(encoding))
    with pytest.raises(SourceError, match="document type") as caught:
        dior_r.read_labels(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not well-formed"),
        (b"\x89PNG", "not well-formed"),
        (b"<annotation>", "not well-formed"),
        (b"<html/>", "<html>"),
    ],
)
def test_what_is_no_annotation_is_refused(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "00001.xml"
    path.write_bytes(data)
    with pytest.raises(SourceError, match=said):
        dior_r.read_labels(path)


def test_folder(tmp_path: Path) -> None:
    annotation(tmp_path, OBJECT)
    (tmp_path / "00001.jpg").touch()
    (sample,) = dior_r.read_folder(tmp_path, tmp_path)
    assert (sample.name, sample.image, len(sample)) == ("00001", tmp_path / "00001.jpg", 1)
    with pytest.raises(SourceError, match="cannot be read"):
        dior_r.read_labels(tmp_path / "00002.xml")
