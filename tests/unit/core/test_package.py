"""What the core offers is what its folder holds."""

import pkgutil

from medaccord import core


def test_all_names_every_module_when_the_folder_is_listed() -> None:
    assert core.__all__ == sorted(module.name for module in pkgutil.iter_modules(core.__path__))
