"""The product's template, built and deployed by SAM as it is deployed to the cloud."""

import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import ClientError

from tools.local_stack import cloud, process
from tools.local_stack.errors import StackError
from tools.local_stack.layout import REGION, REPOSITORY, STAGE, Layout

TEMPLATE = REPOSITORY / "template.yaml"
SOURCES = ("infra", "functions", "layers")
PACKAGES = "DependenciesLayer"
ARTIFACTS = "paynexus-artifacts"
CAPABILITIES = ("CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND")


@dataclass(frozen=True, slots=True)
class Deployment:
    """What a deployed stack is called: its outputs, and its functions by folder name."""

    outputs: dict[str, str]
    functions: dict[str, str]


def digest(layout: Layout, handed_over: dict[str, str]) -> str:
    """Differs when the template, the code, its parameters or MiniStack are not the same."""
    running = process.read(layout.pid_file("ministack"))
    state = hashlib.sha256(json.dumps([str(running), handed_over], sort_keys=True).encode())
    for path in _sources():
        state.update(f"{path.relative_to(REPOSITORY)}\0".encode())
        state.update(path.read_bytes())
    return state.hexdigest()


def _sources() -> list[Path]:
    found = [TEMPLATE]
    for folder in SOURCES:
        found += [path for path in (REPOSITORY / folder).rglob("*") if path.is_file()]
    return sorted(path for path in found if "__pycache__" not in path.parts)


def is_current(layout: Layout, expected: str) -> bool:
    """Whether exactly this is deployed, and still there."""
    done = _digest_file(layout)
    return (
        done.exists()
        and done.read_text() == expected
        and _status(layout) in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
    )


def deploy(layout: Layout) -> None:
    """The template as it lies in the repository is deployed."""
    _digest_file(layout).unlink(missing_ok=True)
    _sam(layout, "build", *_build_options(layout))
    _compile(layout)
    _discard_failed(layout)
    s3 = cloud.session().client("s3", endpoint_url=layout.endpoint_url, config=cloud.config())
    s3.create_bucket(Bucket=ARTIFACTS)
    _sam(layout, "deploy", *_deploy_options(layout))


def conclude(layout: Layout, expected: str) -> None:
    """What follows a deployment is done as well: the next `up` has nothing to deploy."""
    _digest_file(layout).write_text(expected)


def describe(layout: Layout) -> Deployment:
    """The outputs and functions of the deployed stack."""
    client = cloud.session().client(
        "cloudformation", endpoint_url=layout.endpoint_url, config=cloud.config()
    )
    stack = client.describe_stacks(StackName=layout.stack_name)["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    functions = {
        _snake_case(name.removesuffix("Name")): value
        for name, value in outputs.items()
        if name.endswith("Name") and (REPOSITORY / "functions" / _snake_case(name[:-4])).is_dir()
    }
    return Deployment(outputs=outputs, functions=functions)


def invoke(layout: Layout, function: str, *, wait: bool) -> str:
    """The function ran and its answer is returned; when not waited for, it will run."""
    client = cloud.session().client(
        "lambda", endpoint_url=layout.endpoint_url, config=cloud.config(read_seconds=600)
    )
    kind = "RequestResponse" if wait else "Event"
    answer = client.invoke(FunctionName=function, InvocationType=kind, Payload=b"{}")  # type: ignore[arg-type]
    said = answer["Payload"].read().decode(errors="replace")
    if "FunctionError" in answer:
        message = f"Function {function} failed ({said[:500]}): see {layout.log('ministack')}."
        raise StackError(message)
    return said


def _build_options(layout: Layout) -> list[str]:
    folder = layout.state / "sam"
    return [
        *("--template-file", str(TEMPLATE), "--cached", "--parallel"),
        *("--build-dir", str(folder / "build"), "--cache-dir", str(folder / "cache")),
    ]


def _compile(layout: Layout) -> None:
    """What was built carries its byte code, so that no cold start compiles it again.

    MiniStack unpacks the code for each worker, and never writes back what Python compiled: a cold
    start takes 1 to 2 s less this way. Unpacked files are new, so the byte code must not look at
    their times.
    """
    built, packages = layout.state / "sam" / "build", layout.state / "sam" / ".aws-sam" / "deps"
    folders = {folder for folder in built.iterdir() if folder.is_dir()}
    # Packages seldom change: SAM keeps them, and their byte code with them.
    folders -= {folder for folder in (built / PACKAGES,) if _is_compiled(folder)}
    folders |= {packages} if not _is_compiled(packages) else set()
    command = [
        *(sys.executable, "-m", "compileall", "-q", "-j", "0"),
        *("--invalidation-mode", "unchecked-hash", *map(str, sorted(folders))),
    ]
    # A template among the packages need not be Python; what is not compiled still runs.
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def _is_compiled(folder: Path) -> bool:
    return any(folder.rglob("__pycache__"))


def _deploy_options(layout: Layout) -> list[str]:
    return [
        *("--template-file", str(layout.state / "sam" / "build" / "template.yaml")),
        *("--stack-name", layout.stack_name, "--region", REGION),
        *("--s3-bucket", ARTIFACTS, "--no-resolve-s3"),
        *("--capabilities", *CAPABILITIES),
        *("--parameter-overrides", *_parameters(layout)),
        # MiniStack gives the API this id, so that its address outlives a new deployment.
        *("--tags", f"ms-custom-id={layout.api_id}"),
        *("--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar"),
    ]


def _parameters(layout: Layout) -> list[str]:
    """Two sandbox acquirers and a Stripe by others: what a route can choose between."""
    return [
        f"Stage={STAGE}",
        "TestGateways=sandbox,sandbox_two,stripe",
        f"SandboxTwoUrl={layout.url('sandbox_two')}",
        f"StripeUrl={layout.url('localstripe')}",
    ]


def _sam(layout: Layout, command: str, *options: str) -> None:
    folder = layout.state / "sam"
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    settings = folder / "samconfig.toml"
    # The stack's options are all given here; the repository's defaults are the cloud's.
    settings.write_text("version = 0.1\n")
    environment = {
        **layout.environment(),
        "SAM_CLI_TELEMETRY": "0",
        "__SAM_CLI_APP_DIR": str(folder / "app"),
        "SAM_CLI_POLL_DELAY": "0.2",
        # It leaves folders behind.
        "TMPDIR": str(folder / "tmp"),
    }
    log = layout.log("sam")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        answer = subprocess.run(
            ["sam", command, *options, "--config-file", str(settings)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            # SAM keeps packages below the working directory, and removes whatever this build
            # does not need: two stacks must not meet there.
            cwd=folder,
            check=False,
        )
    if answer.returncode:
        message = f"`sam {command}` failed ({process.last_line(log)}): see {log}."
        raise StackError(message)


def _discard_failed(layout: Layout) -> None:
    """No half-made stack of this name is in the way."""
    if _status(layout) in {None, "CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"}:
        return
    client = cloud.session().client(
        "cloudformation", endpoint_url=layout.endpoint_url, config=cloud.config()
    )
    client.delete_stack(StackName=layout.stack_name)
    client.get_waiter("stack_delete_complete").wait(
        StackName=layout.stack_name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )


def _status(layout: Layout) -> str | None:
    client = cloud.session().client(
        "cloudformation", endpoint_url=layout.endpoint_url, config=cloud.config()
    )
    try:
        return client.describe_stacks(StackName=layout.stack_name)["Stacks"][0]["StackStatus"]
    except ClientError:
        return None


def _digest_file(layout: Layout) -> Path:
    return layout.state / "sam" / "deployed"


def _snake_case(name: str) -> str:
    words = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
    return words.lstrip("_")
