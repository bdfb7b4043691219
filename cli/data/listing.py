"""`tide data list`: the versions of a dataset, or of all."""

from concurrent.futures import ThreadPoolExecutor

from cli.data.options import NameOption, dataset_name, open_store
from cli.options import AwsOption, ConfigOption, DirectoryOption, EnvironmentOption, JsonOption
from cli.output import Output


def listing(
    name: NameOption = None,
    config: ConfigOption = None,
    environment: EnvironmentOption = None,
    directory: DirectoryOption = None,
    aws: AwsOption = False,
    machine: JsonOption = False,
) -> None:
    """List versions, newest first: of the dataset that is named, or of every dataset."""
    output = Output(machine)
    app, store = open_store(config, environment, directory, aws)
    names = [dataset_name(app, name)] if name else store.datasets()
    listed = [each for found in names for each in store.versions(found)]
    with ThreadPoolExecutor() as pool:
        sizes = list(pool.map(store.summary, listed))
    if not listed:
        output.say(f"no version{f' of {name}' if name else ''} yet. Next: tide data push PATH")
    else:
        rows = [
            (each.dataset, each.version, f"{each.created:%Y-%m-%d %H:%M}", f"{files:,}", f"{size:,}", "table" if each.is_table else "files")
            for each, (files, size) in zip(listed, sizes, strict=True)
        ]
        output.table(["dataset", "version", "created", "files", "bytes", "kind"], rows)
    output.document(
        {
            "ok": True,
            "versions": [
                {
                    "dataset": each.dataset,
                    "version": each.version,
                    "created": each.created,
                    "files": files,
                    "bytes": size,
                    "is_table": each.is_table,
                }
                for each, (files, size) in zip(listed, sizes, strict=True)
            ],
        }
    )
