"""Writes what each tool starts from; every folder holds the same services."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import yaml

from bench import objects
from bench.objects import NAMESPACE, OBJECTS_PER_SERVICE, make_name, make_objects, make_values

TEMPLATES = Path(__file__).with_name("templates")
CHANGED_VERSION = "9.0.0"

Variant = Literal["shared", "distinct"]

_KADET = '''\
"""Kapitan's Python input: the objects of one target, by the file they go into."""

from kadet import BaseObj

from kapitan.inputs.kadet import inventory


def main(input_params):
    target = inventory(lazy=True)
    root = BaseObj()
    for each in make_objects(target.parameters.target_name, target.parameters["values"].to_dict()):
        root.root[each["kind"].lower()] = each
    return root
'''


def count_services(size: int) -> int:
    """How many services make `size` objects; raise ValueError where they do not come out even."""
    services, rest = divmod(size, OBJECTS_PER_SERVICE)
    if rest or services < 1:
        raise ValueError(f"a size is a multiple of {OBJECTS_PER_SERVICE}, not {size}")
    return services


def list_objects(size: int, *, changed: bool = False) -> Iterator[objects.Object]:
    """All objects that a tool has to write; `changed`: after change_service."""
    for index in range(count_services(size)):
        version = CHANGED_VERSION if changed and not index else ""
        yield from make_objects(make_name(index), make_values(index, version=version))


def write_jsorc(root: Path, size: int, variant: Variant) -> None:
    """A jsorc repository: a folder per service, the templates in each, alike or each with a text of its own."""
    _write(root / "jsorc.yaml", f"namespace: {NAMESPACE}\n")
    texts = {path.name: path.read_text() for path in sorted(TEMPLATES.glob("*.yaml.j2"))}
    for index in range(count_services(size)):
        name = make_name(index)
        folder = root / "templates" / name
        folder.mkdir(parents=True)
        _write_values(folder, make_values(index))
        for file, text in texts.items():
            (folder / file).write_text(f"{{# {name} #}}\n{text}" if variant == "distinct" else text)


def change_service(root: Path) -> None:
    """Give the first service of a jsorc repository another version."""
    _write_values(root / "templates" / make_name(0), make_values(0, version=CHANGED_VERSION))


def write_kapitan(root: Path, size: int) -> None:
    """A kapitan inventory with a target per service, all compiling one folder of templates."""
    shutil.copytree(TEMPLATES, root / "components/service")
    compiling = {
        "input_type": "jinja2",
        "input_paths": ["components/service"],
        "output_path": ".",
        "suffix_remove": True,
    }
    _write_class(root, {"vars": {"namespace": NAMESPACE}, "compile": [compiling]})
    for index in range(count_services(size)):
        name = make_name(index)
        # Kapitan's vars are names that templates see at the top, as ours see `service` and `values`.
        seen = {"target": name, "service": name, "values": make_values(index)}
        _write_target(root, name, {"kapitan": {"vars": seen}})


def write_kadet(root: Path, size: int) -> None:
    """The same inventory for kapitan's Python input, which makes objects instead of filling templates."""
    _write(root / "components/service/__init__.py", Path(objects.__file__).read_text() + "\n\n" + _KADET)
    compiling = {"input_type": "kadet", "input_paths": ["components/service"], "output_path": "."}
    _write_class(root, {"compile": [compiling]})
    for index in range(count_services(size)):
        name = make_name(index)
        parameters = {"kapitan": {"vars": {"target": name}}, "values": make_values(index)}
        _write_target(root, name, parameters)


def write_kustomize(root: Path, size: int) -> None:
    """Finished manifests, a file per service: of the layouts for flat files, the one kustomize reads fastest."""
    names = []
    for index in range(count_services(size)):
        name = make_name(index)
        names.append(f"{name}.yaml")
        documents = make_objects(name, make_values(index))
        _write(root / names[-1], "---\n".join(_format(each) for each in documents))
    _write(root / "kustomization.yaml", _format({"resources": names}))


def _write_class(root: Path, kapitan: objects.Object) -> None:
    _write(root / "inventory/classes/service.yml", _format({"parameters": {"kapitan": kapitan}}))


def _write_target(root: Path, name: str, parameters: objects.Object) -> None:
    body = {"classes": ["service"], "parameters": {"target_name": name, **parameters}}
    _write(root / f"inventory/targets/{name}.yml", _format(body))


def _write_values(folder: Path, values: objects.Values) -> None:
    _write(folder / "service.yaml", _format({"values": values}))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _format(value: object) -> str:
    return str(yaml.dump(value, Dumper=yaml.CSafeDumper))
