import click


@click.command()
def reconcile() -> int:
    return 0
