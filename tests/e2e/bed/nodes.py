"""Nodes and kubelets that KWOK plays, and images that behave in a way of their own.

What a release does on the sites is chosen by the image of its model version: a pod with IMAGE
becomes ready, one with CRASHES restarts for ever, one with NEVER_READY runs and is never ready.
A Deployment with REFUSED is refused by the API server itself, by an admission policy.
"""

import json
from collections.abc import Mapping
from typing import Any

_SERVER = "registry.example.com/models/defect-server@sha256:"
IMAGE = _SERVER + "5e" * 32
CRASHES = _SERVER + "c4" * 32
NEVER_READY = _SERVER + "0b" * 32
REFUSED = _SERVER + "fe" * 32
_BAD = [CRASHES, NEVER_READY]
_ARCHITECTURES = ("amd64", "arm64")
_PLENTY = {"cpu": "10k", "memory": "100Ti", "pods": "10k", "nvidia.com/gpu": "10k"}
_NEW = [
    {"key": ".metadata.deletionTimestamp", "operator": "DoesNotExist"},
    {"key": ".status.podIP", "operator": "DoesNotExist"},
]
_CONTAINERS = """
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: {{ .image | Quote }}
  ready: %(ready)s
  started: %(ready)s
  restartCount: %(restarts)s
  state:
    %(state)s
{{ end }}
"""
_POD = """
{{ $now := Now }}
phase: Running
startTime: {{ $now | Quote }}
hostIP: "10.1.0.1"
podIP: "10.1.0.2"
conditions:
- {type: Initialized, status: "True", lastTransitionTime: {{ $now | Quote }}}
- {type: PodScheduled, status: "True", lastTransitionTime: {{ $now | Quote }}}
- {type: Ready, status: "%(condition)s", lastTransitionTime: {{ $now | Quote }}}
- {type: ContainersReady, status: "%(condition)s", lastTransitionTime: {{ $now | Quote }}}
"""
_RUNS = "running: {startedAt: {{ $now | Quote }}}"
_WAITS = 'waiting: {reason: CrashLoopBackOff, message: "back-off restarting failed container"}'
_NODE = """
{{ $now := Now }}
phase: Running
conditions:
- type: Ready
  status: "True"
  reason: KubeletReady
  lastHeartbeatTime: {{ $now | Quote }}
  lastTransitionTime: {{ $now | Quote }}
"""


def stages() -> str:
    """Write what KWOK does with nodes and pods."""
    ready = '.status.conditions.[] | select( .type == "Ready" ) | .status'
    made = (
        _stage("node-ready", "Node", [_rule(ready, "NotIn", ["True"])], _NODE),
        _pod("pod-ready", "NotIn", _BAD, is_ready=True),
        _pod("pod-crashes", "In", [CRASHES], is_ready=False, state=_WAITS, restarts=7),
        _pod("pod-never-ready", "In", [NEVER_READY], is_ready=False),
        _stage(
            "pod-deleted",
            "Pod",
            [_rule(".metadata.deletionTimestamp", "Exists")],
            None,
        ),
    )
    return "---\n".join(json.dumps(one, indent=1) + "\n" for one in made)


def _rule(key: str, operator: str, values: list[str] | None = None) -> Mapping[str, Any]:
    return {"key": key, "operator": operator, **({"values": values} if values else {})}


def _pod(
    name: str,
    operator: str,
    images: list[str],
    *,
    is_ready: bool,
    state: str = _RUNS,
    restarts: int = 0,
) -> Mapping[str, Any]:
    rules = [*_NEW, _rule(".spec.containers.[].image", operator, images)]
    word = "true" if is_ready else "false"
    told = _POD % {"condition": word.title()}
    told += _CONTAINERS % {"ready": word, "restarts": restarts, "state": state}
    return _stage(name, "Pod", rules, told)


def _stage(name: str, kind: str, rules: list[Any], status: str | None) -> Mapping[str, Any]:
    end = {"finalizers": {"empty": True}, "delete": True}
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": name},
        "spec": {
            "resourceRef": {"apiGroup": "v1", "kind": kind},
            "selector": {"matchExpressions": rules},
            "next": {"statusTemplate": status} if status else end,
        },
    }


def objects() -> tuple[Mapping[str, Any], ...]:
    """Make what a cluster needs for the pods of the blueprints to be taken and scheduled."""
    return (
        *(_node(architecture) for architecture in _ARCHITECTURES),
        {
            "apiVersion": "node.k8s.io/v1",
            "kind": "RuntimeClass",
            "metadata": {"name": "nvidia"},
            "handler": "nvidia",
        },
        *_refusal(),
    )


def _node(architecture: str) -> Mapping[str, Any]:
    name = f"node-{architecture}"
    labels = {
        "kubernetes.io/arch": architecture,
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "status": {"allocatable": _PLENTY, "capacity": _PLENTY},
    }


def _refusal() -> tuple[Mapping[str, Any], ...]:
    """Let the API server refuse one image, wherever a Deployment brings it."""
    api, name = "admissionregistration.k8s.io/v1", "refused-image"
    rule = {
        "apiGroups": ["apps"],
        "apiVersions": ["v1"],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["deployments"],
    }
    check = f"object.spec.template.spec.containers.all(one, one.image != '{REFUSED}')"
    policy = {
        "apiVersion": api,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [rule]},
            "validations": [{"expression": check, "message": "this image is refused here"}],
        },
    }
    binding = {
        "apiVersion": api,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {"policyName": name, "validationActions": ["Deny"]},
    }
    return (policy, binding)
