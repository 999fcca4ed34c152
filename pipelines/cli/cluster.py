"""`naru cluster deploy|diff|status|undeploy`: manage Naru's own objects on the cluster of KUBECONFIG; `seldon` prints a model's."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.arguments import PoolsFile, ProjectPath, Registry, Tag

_PANEL = "A cluster (KUBECONFIG)"
_group = typer.Typer(name="cluster", no_args_is_help=True, rich_markup_mode="markdown")

Overlay = Annotated[str, typer.Option(help="Overlay: a name in manifests/overlays, or a folder.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this group."""
    message = (
        "Naru's own objects on the cluster of KUBECONFIG: deploy, diff, status, undeploy; seldon prints a model's."
    )
    app.add_typer(_group, help=message, rich_help_panel=_PANEL)


@_group.command()
def deploy(overlay: Overlay = "kind") -> None:
    """Apply the overlay to the cluster; a second time changes nothing."""
    from components._cluster.kubernetes_client import Cluster
    from pipelines.cluster.overlay import render
    from pipelines.cluster.overlay_deployment import deploy, plan
    from pipelines.compile_target import Target

    desired = render(overlay, Target.from_environment())
    cluster = Cluster()
    changes = plan(cluster, desired)
    deploy(cluster, changes)
    for change in changes:
        if change.action != "keep":
            typer.echo(change)
    counted = Counter(change.action for change in changes)
    if any(change.action == "change" and change.object["kind"] == "Secret" for change in changes):
        typer.echo("running pods keep the old credential until they restart: naru cluster status lists them")
    done = counted.total() - counted["keep"] - counted["leave"]
    left = f", {counted['leave']} left alone" if counted["leave"] else ""
    typer.echo(f"{cluster.server}: {done} changed, {counted['keep']} unchanged{left}")


@_group.command()
def diff(overlay: Overlay = "kind") -> None:
    """Show what deploy would change, without changing anything; exits with 1 if there are changes."""
    from components._cluster.kubernetes_client import Cluster
    from pipelines.cluster.overlay import render
    from pipelines.cluster.overlay_deployment import plan
    from pipelines.compile_target import Target

    desired = render(overlay, Target.from_environment())
    due = [change for change in plan(Cluster(), desired) if change.action != "keep"]
    for change in due:
        typer.echo(change)
    if due:
        raise typer.Exit(1)
    typer.echo("nothing would change")


@_group.command()
def status(overlay: Overlay = "kind") -> None:
    """List missing objects, workloads, waiting or failed stages with the reason, and pods with an outdated credential."""
    from components._cluster.kubernetes_client import Cluster
    from pipelines.cluster.overlay import render
    from pipelines.cluster.status import describe_status
    from pipelines.compile_target import Target

    desired = render(overlay, Target.from_environment())
    typer.echo("\n".join(describe_status(Cluster(), desired)) or "everything is deployed, and no stage is waiting")


@_group.command()
def undeploy(
    delete_data: Annotated[
        bool, typer.Option(help="Delete the volumes too: MLflow's database and the bundled store.")
    ] = False,
) -> None:
    """Remove every object that Naru deployed, and nothing else."""
    from components._cluster.kubernetes_client import Cluster, name_of
    from pipelines.cluster.overlay_deployment import undeploy

    removed = undeploy(Cluster(), with_data=delete_data)
    for one in removed:
        typer.echo(f"remove {name_of(one)}")
    typer.echo(f"{len(removed)} removed")


@_group.command(
    epilog="Example: `naru cluster seldon examples/flights --model s3://naru/flights/models/3/artifacts/model --version 3 "
    "| kubectl apply --server-side -f -`"
)
def seldon(
    project: ProjectPath = Path(),
    model: Annotated[
        str, typer.Option(help="URI of the model's folder, as pods reach it.", show_default="the champion's")
    ] = "",
    version: Annotated[str, typer.Option(help="Model version in the responses.", show_default="the champion's")] = "",
    canary_model: Annotated[str, typer.Option(help="URI of the folder of a canary version.")] = "",
    canary_version: Annotated[str, typer.Option(help="Model version in the canary's responses.")] = "",
    challenger_model: Annotated[
        str, typer.Option(help="URI of the folder of a version in a live test (serve.rollout: shadow or ab).")
    ] = "",
    challenger_version: Annotated[str, typer.Option(help="Model version in its responses.")] = "",
    mesh_shadow: Annotated[
        bool,
        typer.Option(
            "--mesh-shadow",
            help="Seldon's own shadow, which needs a mesh, in place of copies by the champion's servers.",
        ),
    ] = False,
    weight: Annotated[int, typer.Option(help="Percent of the requests routed to the canary.")] = 10,
    namespace: Annotated[str, typer.Option(help="Namespace.", show_default="wherever it is applied")] = "",
    check_secret: Annotated[
        bool, typer.Option(help="Check the keys of `serve.secret` too, on the cluster of KUBECONFIG.")
    ] = False,
    registry: Registry = "",
    tag: Tag = "",
    pools: PoolsFile = "",
) -> None:
    """Check and print the SeldonDeployment that serves a model; nothing is applied."""
    from pipelines.cluster.seldon_manifest import Choice, render_manifest
    from pipelines.compile_target import Target

    target = Target.from_environment(registry=registry, tag=tag, pools=pools)
    choice = Choice(
        model,
        version,
        canary_model,
        canary_version,
        challenger_model,
        challenger_version,
        mesh_shadow,
        weight,
        namespace,
        check_secret,
    )
    rendered = render_manifest(project, choice, target)
    for remark in rendered.remarks:
        typer.echo(f"naru: {remark}", err=True)
    typer.echo(rendered.text, nl=False)
