"""Images are build folders: found by URI, run from the Dockerfile's own words."""

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

import training
from training.__main__ import NUMERICS
from twin.images import DockerfileError, Images, UnknownImageError, inside, map_paths, read_image


def write(folder: Path, dockerfile: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Dockerfile").write_text(dockerfile)
    return folder


def test_an_asset_is_found_by_its_uri_and_stays_known(tmp_path: Path) -> None:
    write(tmp_path / "asset.a", 'FROM x\nENTRYPOINT ["python"]')
    target = {"d": {"repositoryName": "r-${AWS::AccountId}-${AWS::Region}", "imageTag": "a"}}
    manifest = tmp_path / "nested" / "S.assets.json"
    manifest.parent.mkdir()
    manifest.write_text(json.dumps({"dockerImages": {"a": {"source": {"directory": "../asset.a"}, "destinations": target}}}))
    images = Images(tmp_path, tmp_path / "pulled", "1", "eu-west-1")
    uri = "1.dkr.ecr.eu-west-1.amazonaws.com/r-1-eu-west-1:a"
    assert images.find(uri).entrypoint == ("python",)
    manifest.unlink()
    shutil.rmtree(tmp_path / "asset.a")
    assert (images.find(uri).folder / "Dockerfile").is_file()
    with pytest.raises(UnknownImageError, match="other:1"):
        images.find("other:1")


def test_a_dockerfile_gives_command_and_variables(tmp_path: Path) -> None:
    lines = ["# ENV no=1", "FROM x", 'ENV A="b c" D=e \\', "    F=g", "ENV H i j", "ENV PATH=/x:$PATH", "RUN pip install y"]
    lines += ["LABEL a.b=true", 'LABEL libraries="pandas skops.io"']
    text = "\n".join([*lines, 'ENTRYPOINT ["python", "-m", "training"]'])
    image = read_image("u", write(tmp_path, text))
    assert image.entrypoint == ("python", "-m", "training")
    assert image.environment == {"A": "b c", "D": "e", "F": "g", "H": "i j"}
    assert image.libraries == ("pandas", "skops.io")


def test_the_model_image_is_set_before_its_libraries_are_loaded() -> None:
    image = read_image("u", Path(training.__file__).parent)
    assert NUMERICS.items() <= image.environment.items()
    assert all(find_spec(library) for library in image.libraries)


@pytest.mark.parametrize(
    ("dockerfile", "named"),
    [("FROM x", "no ENTRYPOINT"), ("ENTRYPOINT python -m x", "not a JSON list"), ('ENV A=$B\nENTRYPOINT ["x"]', "ENV A")],
)
def test_what_a_process_cannot_stand_in_for_is_refused(tmp_path: Path, dockerfile: str, named: str) -> None:
    with pytest.raises(DockerfileError, match=named):
        read_image("u", write(tmp_path, dockerfile))


def test_only_paths_below_opt_ml_are_mapped(tmp_path: Path) -> None:
    assert inside(tmp_path, "/opt/ml/processing/x") == tmp_path / "processing" / "x"
    for outside in ("/opt/mlx", "/tmp/x", "/opt/ml/../x"):  # noqa: S108 - paths of a container, nothing is written
        with pytest.raises(ValueError, match="not below"):
            inside(tmp_path, outside)
    assert map_paths(tmp_path, "--in=/opt/ml/a") == f"--in={tmp_path}/a"
    assert map_paths(tmp_path, "s3://x/opt/ml") == "s3://x/opt/ml"
