"""The rules that look into manifests people own, and into the copies of them in releases."""

import time
from collections.abc import Iterator
from functools import cache

import pytest

from generator import layout
from generator.changes import ChangeSet
from generator.documents.nodes import read_documents
from generator.errors import InputError
from generator.intents.delivery import delivery
from generator.lint import Finding, lint
from generator.repository import Repository
from tests.builders import CLOUD, EDGE, MODEL, NOW, Memory, baseline, fleet, opened

pytestmark = pytest.mark.slow

BASE, PROFILES, CHART = layout.base(MODEL), layout.profiles(MODEL), layout.chart(MODEL)
POD = f"{BASE}/deployment.yaml"
KUSTOMIZATION = f"{BASE}/kustomization.yaml"
PROFILE = f"{PROFILES}/gpu/kustomization.yaml"
PATCH = f"{PROFILES}/gpu/patch.yaml"
TEMPLATE = f"{CHART}/templates/deployment.yaml"
SCHEMA = f"{CHART}/values.schema.json"
KEY = "-----BEGIN RSA " + "PRIVATE KEY-----\n"
TOKEN = "ghp_" + "a" * 36


@cache
def start() -> Memory:
    return Memory(fleet(sites=12, clusters=1))


@cache
def settled() -> Memory:
    return start().do(baseline(12)).do(baseline(12, CLOUD))


def findings(have: Memory) -> tuple[Finding, ...]:
    return lint(opened(have), NOW)


K3S = f"environments/{EDGE}/k3s/manifests"
FILES = {
    "QUOTA": f"{K3S}/models-quota.yaml",
    "RANGE": f"{K3S}/models-range.yaml",
    "NAMESPACE": f"{K3S}/models-namespace.yaml",
    "REGISTRIES": f"environments/{EDGE}/k3s/registries.yaml",
    "POLICY": f"{BASE}/networkpolicy.yaml",
    "RECONCILER": f"{layout.RECONCILER}/deployment/deployment.yaml",
    "RECONCILER_LIST": f"{layout.RECONCILER}/base/kustomization.yaml",
    "RECONCILER_SETTINGS": f"{layout.RECONCILER}/base/settings.yaml",
    "JETSON": f"{PROFILES}/jetson-arm64/patch.yaml",
    "HPA": f"{CHART}/templates/hpa.yaml",
    "PDB": f"{CHART}/templates/pdb.yaml",
    "POLICY_TEMPLATE": f"{CHART}/templates/networkpolicy.yaml",
    "POD": POD,
    "PATCH": PATCH,
    "PROFILE": PROFILE,
    "KUSTOMIZATION": KUSTOMIZATION,
    "SERVICE": f"{BASE}/service.yaml",
    "TEMPLATE": TEMPLATE,
    "SERVICE_TEMPLATE": f"{CHART}/templates/service.yaml",
    "CHART_FILE": f"{CHART}/Chart.yaml",
    "VALUES": f"{CHART}/values.yaml",
    "SCHEMA": SCHEMA,
    "ENVIRONMENT": layout.environment(EDGE),
}

# What a person writes: the file, the rules that find it, and the lines as in a patch. Without a
# line that goes, the new ones stand at the end.
PLANTED = r"""
@ POD yaml: a country
-            path: /readyz
+            path: no
@ POD yaml: octal
-        runAsUser: 65532
+        runAsUser: 0100
@ POD yaml: base 60
-        fsGroup: 65532
+        fsGroup: 22:22
@ POD yaml: a power
-        fsGroup: 65532
+        fsGroup: 1e3
@ POD yaml: hexadecimal
-        fsGroup: 65532
+        fsGroup: 0x1f
@ POD yaml: underscores
-        fsGroup: 65532
+        fsGroup: 65_532
@ POD yaml: the same key twice
-  replicas: 1
+  replicas: 1
+  replicas: 2
@ POD yaml: an anchor
-  replicas: 1
+  replicas: &a 1
@ POD yaml: a tag
-  replicas: 1
+  replicas: !!int 1
@ PATCH yaml: no YAML
-spec:
+spec: [
@ POD floating: a tag
-      containers:
+      containers:
+      - name: b
+        image: sidecar:1.2
+        resources: {requests: {cpu: 1m, memory: 1Mi}, limits: {memory: 1Mi}}
+        securityContext:
+          readOnlyRootFilesystem: true
+          allowPrivilegeEscalation: false
+          capabilities: {drop: [ALL]}
@ PATCH floating: no tag at all
-      - name: model-server
+      - name: model-server
+        image: other
@ POD floating: an image volume
-      volumes:
+      volumes:
+      - name: model
+        image: {reference: models:latest}
@ KUSTOMIZATION floating: a remote base
-- service.yaml
+- service.yaml
+- https://github.com/x/y//base?ref=main
@ KUSTOMIZATION floating: a remote base without scheme
-- service.yaml
+- service.yaml
+- github.com/x/y
@ KUSTOMIZATION floating: a remote base by SSH
-- service.yaml
+- service.yaml
+- git@example.com:x/y.git
@ PROFILE floating: a remote patch
-- path: patch.yaml
+- path: https://example.com/patch.yaml
@ KUSTOMIZATION floating: a remote chart
+helmCharts:
+- name: x
+  repo: oci://example.com
@ KUSTOMIZATION floating: an image by tag
+images:
+- name: b
+  newTag: '1.2'
@ KUSTOMIZATION floating: an image by name
+images:
+- name: b
+  newName: c
@ PROFILE floating: an image in a patch as text
+- patch: |-
+    kind: Deployment
+    spec: {template: {spec: {containers: [{name: a, image: b}]}}}
@ PROFILE floating: an image in an operation
+- patch: |-
+    - op: replace
+      path: /spec/template/spec/containers/0/image
+      value: b:latest
@ TEMPLATE floating: a template's tag
-        image: {{ .Values.image | quote }}
+        image: "{{ .Values.image }}:latest"
@ TEMPLATE floating: a template's own image
-      tolerations:
-        {{- toYaml . | nindent 8 }}
-      {{- end }}
+      tolerations:
+        {{- toYaml . | nindent 8 }}
+      {{- end }}
+      initContainers:
+      - name: fetch
+        image: busybox
+        securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
@ VALUES floating: a value's tag
+sidecar:
+  repository: b
+  tag: latest
@ VALUES floating: a value's image
+sidecar:
+  image: b:1
@ CHART_FILE chart floating: a dependency
+dependencies:
+- name: x
+  version: ^1.0.0
@ CHART_FILE chart floating: a dependency from elsewhere
+dependencies:
+- name: x
+  version: 1.0.0
+  repository: https://example.com
@ SERVICE kinds: a kind that the project refuses
+---
+apiVersion: batch/v1
+kind: CronJob
+metadata: {name: nightly}
@ SERVICE kinds: a kind of another group
+---
+apiVersion: serving.example.com/v1
+kind: Service
+metadata: {name: x}
@ SERVICE_TEMPLATE kinds: a role in a chart
+---
+apiVersion: rbac.authorization.k8s.io/v1
+kind: Role
+metadata: {name: "a-{{ .Values.release }}"}
@ SERVICE secrets: a Secret
+---
+apiVersion: v1
+kind: Secret
+metadata:
+  name: a
+stringData: {a: b}
@ SERVICE secrets: a Secret in a List
+---
+kind: List
+items:
+- apiVersion: v1
+  kind: Secret
+  metadata: {name: a}
+  data: {a: Yg==}
@ KUSTOMIZATION secrets: a Secret from files
+secretGenerator:
+- name: a
+  literals: [a=b]
@ SERVICE_TEMPLATE secrets: a Secret of a chart
+---
+apiVersion: v1
+kind: Secret
+metadata:
+  name: "a-{{ .Values.release }}"
+data:
+  {{- toYaml .Values.x | nindent 2 }}
@ ENVIRONMENT secrets: a password in a URL
+# https://ada:secret@example.com
@ KUSTOMIZATION base: what is not there
-- service.yaml
+- servise.yaml
@ KUSTOMIZATION base: what lies outside
-- service.yaml
+- ../profiles/gpu/patch.yaml
@ PROFILE base: a patch that is not there
-- path: patch.yaml
+- path: patches.yaml
@ SERVICE base: a second Deployment
+---
+apiVersion: apps/v1
+kind: Deployment
+metadata: {name: second}
@ POD base: an image of its own
-        image: model-server   # the release puts the pinned image here
+        image: other@sha256:DIGEST
@ KUSTOMIZATION objects: another kind
-kind: Kustomization
+kind: Kustomizaton
@ PROFILE objects: a profile that is no Component
-kind: Component
+kind: Kustomization
@ PROFILE objects: another version
-apiVersion: kustomize.config.k8s.io/v1alpha1
+apiVersion: kustomize.config.k8s.io/v1beta1
@ PROFILE objects: an unknown key
-patches:
+patche:
@ KUSTOMIZATION objects: a key of another tool
+x: z
@ KUSTOMIZATION objects: the same twice
-- service.yaml
+- service.yaml
+- service.yaml
@ KUSTOMIZATION objects: a namespace for all
+namespace: other
@ SERVICE objects: a namespace of its own
-metadata:
+metadata:
+  namespace: other
@ SERVICE objects: no kind
-kind: Service
+knd: Service
@ PATCH objects: a container that is not there
-      - name: model-server
+      - name: model-servr
@ PATCH objects: a container of another name
-      - name: model-server
+      - name: zzz
@ CHART_FILE chart: another name
-name: "defect-detector"
+name: other
@ TEMPLATE chart: an alias
-    app.kubernetes.io/component: model-server
+    app.kubernetes.io/component: "{{ .Chart.Name }}-model-server"
@ TEMPLATE chart: chance
-    app.kubernetes.io/component: model-server
+    app.kubernetes.io/component: "{{ randAlphaNum 3 }}-model-server"
@ TEMPLATE chart: the clock
-    app.kubernetes.io/component: model-server
+    app.kubernetes.io/component: "{{ now | date "2006" }}-model-server"
@ TEMPLATE steering: a wave
-metadata:
+metadata:
+  annotations:
+    argocd.argoproj.io/sync-wave: "1"
@ TEMPLATE steering: a hook
-metadata:
+metadata:
+  annotations:
+    helm.sh/hook: pre-install
@ TEMPLATE steering: an object that stays
-metadata:
+metadata:
+  annotations: {helm.sh/resource-policy: keep}
@ POD steering: a wave in a base
-metadata:
+metadata:
+  annotations: {argocd.argoproj.io/sync-wave: "1"}
@ POD steering: a hook in a base
-metadata:
+metadata:
+  annotations: {argocd.argoproj.io/hook-delete-policy: HookSucceeded}
@ SERVICE steering: an object that is passed over
-metadata:
+metadata:
+  annotations: {argocd.argoproj.io/sync-options: "ServerSideApply=true, Prune=false"}
@ PATCH steering: a switch of Flux in a profile
-metadata:
+metadata:
+  annotations: {kustomize.toolkit.fluxcd.io/reconcile: disabled}
@ TEMPLATE chart: the name of the whole
-    app.kubernetes.io/component: model-server
+    app.kubernetes.io/component: "{{ index .Release "Name" }}-model-server"
@ TEMPLATE chart: the place of the template
-    app.kubernetes.io/component: model-server
+    app.kubernetes.io/component: "{{ $.Template.Name }}"
@ TEMPLATE chart: chance of a number
-    app.kubernetes.io/component: model-server
+    app.kubernetes.io/component: "a{{ randInt 1 9 }}"
@ TEMPLATE chart: chance of a password
-    app.kubernetes.io/component: model-server
+    app.kubernetes.io/component: "{{ htpasswd "a" "b" }}"
@ PDB twins: a budget for both
-      tidegate.dev/release: "{{ .Values.release }}"
@ SERVICE_TEMPLATE twins: a Service for both
-    app.kubernetes.io/name: "defect-detector"
-    tidegate.dev/release: "{{ .Values.release }}"
-  ports:
+    app.kubernetes.io/name: "defect-detector"
+  ports:
@ SERVICE_TEMPLATE twins: one Service
-  name: "defect-detector-{{ .Values.release }}"
+  name: "defect-detector"
@ SERVICE_TEMPLATE twins: a Service that no route knows
-  name: "defect-detector-{{ .Values.release }}"
+  name: "detector-{{ .Values.release }}"
@ SERVICE_TEMPLATE twins: a port that no route knows
-    port: 80
+    port: 8080
@ HPA twins: one scaler
-  name: "defect-detector-{{ .Values.release }}"
-  labels:
+  name: "defect-detector"
+  labels:
@ POD running: no pods
-  replicas: 1
+  replicas: 0
@ PATCH running: no pods in a profile
-  strategy:
+  replicas: 0
+  strategy:
@ POD running: paused
-  replicas: 1
+  replicas: 1
+  paused: true
@ POD running: a registry that may be out of reach
-        imagePullPolicy: IfNotPresent
+        imagePullPolicy: Always
@ POD running: an image that may not be there
-        imagePullPolicy: IfNotPresent
+        imagePullPolicy: Never
@ KUSTOMIZATION running: no pods in a kustomization
-resources:
+replicas:
+- {name: defect-detector, count: 0}
+resources:
@ PROFILE running: no pods by an operation
-patches:
+patches:
+- patch: '[{"op": "replace", "path": "/spec/replicas", "value": 0}]'
@ PROFILE running: paused by an operation
-patches:
+patches:
+- patch: '[{"op": "add", "path": "/spec/paused", "value": true}]'
@ VALUES running: no pods by values
-  minReplicas: 2
+  minReplicas: 0
@ SCHEMA chart: an open schema
-  "additionalProperties": false,
@ SCHEMA chart: a schema from elsewhere
-        "requests": {"$ref": "#/definitions/quantities"},
+        "requests": {"$ref": "https://example.com/a.json"},
@ SCHEMA chart: no schema of JSON
-  "$schema": "http://json-schema.org/draft-07/schema#",
+  $schema: "http://json-schema.org/draft-07/schema#",
@ TEMPLATE chart: an image from elsewhere
-        image: {{ .Values.image | quote }}
+        image: {{ .Values.other | quote }}
@ POD pods: root
-        runAsNonRoot: true
+        runAsNonRoot: false
@ POD pods: root by number
-        runAsUser: 65532
+        runAsUser: 0
@ POD pods: not said
-        runAsNonRoot: true
@ POD pods: no seccomp
-        seccompProfile:
-          type: RuntimeDefault
@ POD pods: another seccomp
-          type: RuntimeDefault
+          type: Unconfined
@ POD pods: may rise
-          allowPrivilegeEscalation: false
+          allowPrivilegeEscalation: true
@ POD pods: may rise, unsaid
-          allowPrivilegeEscalation: false
@ POD pods: keeps capabilities
-            drop: [ALL]
+            drop: [NET_RAW]
@ POD pods: adds capabilities
-            drop: [ALL]
+            drop: [ALL]
+            add: [SYS_ADMIN]
@ POD pods: a folder of the host
-      volumes:
+      volumes:
+      - name: h
+        hostPath: {path: /}
@ POD pods: a volume of another kind
-      volumes:
+      volumes:
+      - name: h
+        nfs: {path: /}
@ POD pods: a port of the host
-          containerPort: 8080
+          containerPort: 8080
+          hostPort: 80
@ POD pods: the network of the host
-    spec:
+    spec:
+      hostNetwork: true
@ POD pods: a sysctl
-        runAsNonRoot: true
+        runAsNonRoot: true
+        sysctls: [{name: kernel.msgmax, value: '1'}]
@ POD pods: all of /proc
-            drop: [ALL]
+            drop: [ALL]
+          procMount: Unmasked
@ PATCH pods: privileged by a profile
-      - name: model-server
+      - name: model-server
+        securityContext: {privileged: true}
@ PROFILE pods: privileged by a text
+- patch: |-
+    kind: Deployment
+    spec: {template: {spec: {hostPID: true}}}
@ PROFILE pods: root by an operation
+- patch: |-
+    - {op: add, path: /spec/template/spec/securityContext/runAsUser, value: 0}
@ POD hardening: may write
-          readOnlyRootFilesystem: true
+          readOnlyRootFilesystem: false
@ POD hardening: takes what it can
-          limits:
-            cpu: "2"
-            memory: 2Gi
@ POD hardening: a token
-      automountServiceAccountToken: false
@ TEMPLATE hardening: a token in a chart
-      automountServiceAccountToken: false
@ TEMPLATE hardening: takes what it can, in a chart
-        resources:
-          {{- toYaml .Values.resources | nindent 10 }}
@ POD serving: a probe of another port
-            path: /readyz
-            port: http
+            path: /readyz
+            port: htp
@ POD serving: a probe by number
-            path: /livez
-            port: http
+            path: /livez
+            port: 8081
@ PATCH serving: a probe of a profile
-      - name: model-server
+      - name: model-server
+        livenessProbe: {tcpSocket: {port: grpc}}
@ POD serving: no readiness
-        readinessProbe:
-          httpGet:
-            path: /readyz
-            port: http
-          periodSeconds: 5
-          timeoutSeconds: 3
-          failureThreshold: 3
@ POD serving: a hurry
-      terminationGracePeriodSeconds: 30   # longer than the longest request
+      terminationGracePeriodSeconds: 14
@ POD serving: a long wait
-              seconds: 5   # until no caller is sent here any more
+              seconds: 21
@ PATCH serving: a hurry of a profile
-      runtimeClassName: nvidia
+      runtimeClassName: nvidia
+      terminationGracePeriodSeconds: 3
@ TEMPLATE serving: a hurry in a chart
-      terminationGracePeriodSeconds: 30   # longer than the longest request
+      terminationGracePeriodSeconds: 5
@ TEMPLATE serving: a probe in a chart
-            path: /livez
-            port: http
+            path: /livez
+            port: metric
@ TEMPLATE serving: no startup probe in a chart
-        startupProbe:   # up to five minutes to fetch and load the model
-          httpGet:
-            path: /readyz
-            port: http
-          periodSeconds: 5
-          timeoutSeconds: 3
-          failureThreshold: 60
@ POD serving: the account of all
-      serviceAccountName: "defect-detector"
@ POD serving: an account that is not there
-      serviceAccountName: "defect-detector"
+      serviceAccountName: "defect-detectr"
@ POD serving: another selector
-    matchLabels:
-      app.kubernetes.io/name: "defect-detector"
+    matchLabels:
+      app.kubernetes.io/name: "detector"
@ POD serving: no selector
-    matchLabels:
-      app.kubernetes.io/name: "defect-detector"
+    matchLabels: {}
@ SERVICE serving: another selector
-    app.kubernetes.io/name: "defect-detector"
-  ports:
+    app.kubernetes.io/name: "detector"
+  ports:
@ SERVICE serving: another port
-    targetPort: http
+    targetPort: htp
@ SERVICE serving: another port by number
-    targetPort: http
+    targetPort: 8000
@ SERVICE serving: a port that is not said
-    targetPort: http
@ SERVICE_TEMPLATE serving: another port in a chart
-    targetPort: http
+    targetPort: https
@ SERVICE_TEMPLATE serving: another selector in a chart
-    app.kubernetes.io/name: "defect-detector"
-    tidegate.dev/release: "{{ .Values.release }}"
-  ports:
+    app.kubernetes.io/name: "defect-detector"
+    tidegate.dev/release: "v1"
+  ports:
@ POLICY serving: another selector
-    matchLabels:
-      app.kubernetes.io/name: "defect-detector"
+    matchLabels:
+      app.kubernetes.io/nam: "defect-detector"
@ POLICY serving: another port
-    - port: metrics
+    - port: metric
@ PDB serving: another selector
-    matchLabels:
-      app.kubernetes.io/name: "defect-detector"
+    matchLabels:
+      app.kubernetes.io/name: "detector"
@ PATCH accelerators: no runtime
-      runtimeClassName: nvidia
@ PATCH accelerators: no toleration
-      tolerations:
-      - key: nvidia.com/gpu
-        operator: Exists
-        effect: NoSchedule
@ PATCH accelerators: another toleration
-      - key: nvidia.com/gpu
+      - key: nvidia.com/gpus
@ PATCH accelerators: a toleration of another effect
-        effect: NoSchedule
+        effect: NoExecute
@ JETSON accelerators: no toleration on a Jetson
-      tolerations:
-      - key: nvidia.com/gpu
-        operator: Exists
-        effect: NoSchedule
@ JETSON accelerators: no runtime on a Jetson
-      runtimeClassName: nvidia
@ PATCH accelerators: half a card
-            nvidia.com/gpu: "1"
+            nvidia.com/gpu: 500m
@ PATCH accelerators: a card that is only requested
-            memory: 2Gi
+            memory: 2Gi
+            amd.com/gpu: "1"
@ PATCH accelerators: another request
-            memory: 2Gi
+            memory: 2Gi
+            nvidia.com/gpu: "2"
@ POD accelerators: a card in every profile
-            memory: 2Gi
+            memory: 2Gi
+            nvidia.com/gpu: "1"
@ VALUES accelerators: a card in the cloud
-    cpu: "2"
+    cpu: "2"
+    nvidia.com/gpu: "1"
@ HPA scaling: another Deployment
-    kind: Deployment
-    name: "defect-detector-{{ .Values.release }}"
+    kind: Deployment
+    name: "defect-detector"
@ TEMPLATE scaling: a fixed number
-  {{- if not .Values.autoscaling.enabled }}
-  replicas: {{ .Values.autoscaling.minReplicas }}
-  {{- end }}
+  replicas: 2
@ TEMPLATE scaling: a number without its condition
-  {{- if not .Values.autoscaling.enabled }}
-  replicas: {{ .Values.autoscaling.minReplicas }}
-  {{- end }}
+  replicas: {{ .Values.autoscaling.minReplicas }}
@ VALUES scaling: more than most
-  minReplicas: 2
+  minReplicas: 11
@ HPA scaling: more than most, in the template
-  minReplicas: {{ .Values.autoscaling.minReplicas }}
-  maxReplicas: {{ .Values.autoscaling.maxReplicas }}
+  minReplicas: 3
+  maxReplicas: 2
@ HPA scaling: a second one
-{{- end }}
+---
+apiVersion: autoscaling/v2
+kind: HorizontalPodAutoscaler
+metadata: {name: "second-{{ .Values.release }}"}
+spec:
+  scaleTargetRef: {kind: Deployment, name: "defect-detector-{{ .Values.release }}"}
+{{- end }}
@ PDB scaling: none may go
-  maxUnavailable: 1   # never all, and never none: a node can always be drained
+  maxUnavailable: 0
@ PDB scaling: none may go, as a share
-  maxUnavailable: 1   # never all, and never none: a node can always be drained
+  maxUnavailable: 0%
@ PDB scaling: all must stay
-  maxUnavailable: 1   # never all, and never none: a node can always be drained
+  minAvailable: 2
@ PDB scaling: all must stay, as a share
-  maxUnavailable: 1   # never all, and never none: a node can always be drained
+  minAvailable: 51%
@ PDB scaling: pods that never were ready
-  unhealthyPodEvictionPolicy: AlwaysAllow
@ PDB scaling: pods that are not ready now
-  unhealthyPodEvictionPolicy: AlwaysAllow
+  unhealthyPodEvictionPolicy: IfHealthyBudget
@ SERVICE kinds: a kind that no project allows
+---
+apiVersion: networking.k8s.io/v1
+kind: Ingress
+metadata: {name: a}
@ SERVICE kinds: a Secret that somebody fills
+---
+apiVersion: v1
+kind: Secret
+metadata: {name: a}
+type: example.com/token
@ VALUES kinds: a secret store
-  enabled: false
+  enabled: true
@ SERVICE_TEMPLATE kinds: a kind in a chart
+---
+apiVersion: batch/v1
+kind: CronJob
+metadata: {name: "a-{{ .Values.release }}"}
@ NAMESPACE k3s: any pod
-    pod-security.kubernetes.io/enforce: restricted
+    pod-security.kubernetes.io/enforce: restrcted
@ REGISTRIES k3s: settings that K3s cannot read
+: [
@ REGISTRIES secrets: a password of K3s
+configs: {"a.example.com": {auth: {username: a, password: b}}}
@ NAMESPACE secrets: a Secret that K3s applies
+---
+apiVersion: v1
+kind: Secret
+metadata: {name: a, namespace: models}
+stringData: {a: b}
@ RECONCILER secrets: the Secret of the reconciler
+---
+apiVersion: v1
+kind: Secret
+metadata: {name: tidegate-reconciler, namespace: tidegate}
+stringData: {password: a}
@ RECONCILER_LIST secrets: the Secret of the reconciler from files
+secretGenerator:
+- name: tidegate-reconciler
+  files: [password]
@ RECONCILER_SETTINGS secrets: a password in the URL of the repository
-  TIDEGATE_TOKEN_FILES: ""
+  TIDEGATE_TOKEN_FILES: "https://ada:secret@example.com=/etc/tidegate/secret/a"
@ RECONCILER api: a misspelt strategy
-    type: Recreate
+    type: Recreated
@ RECONCILER yaml: a country in its environment
-          value: /tmp
+          value: no
@ QUOTA k3s: another namespace
-  namespace: "models"
+  namespace: "model"
@ RANGE k3s: another namespace of a range
-  namespace: "models"
@ QUOTA quota: too few pods
-    pods: "20"
+    pods: "1"
@ QUOTA quota: no room for the new pod
-    requests.cpu: "4"
+    requests.cpu: 999m
@ QUOTA quota: no memory for the new pod
-    limits.memory: 32Gi
+    limits.memory: 11Gi
@ QUOTA quota: said in short
-    requests.memory: 16Gi
+    memory: 4095Mi
@ QUOTA api: no quantity
-    limits.cpu: "16"
+    limits.cpu: 16 cores
@ QUOTA quota: one card for two pods
-    pods: "20"
+    pods: "20"
+    requests.nvidia.com/gpu: "1"
@ POD quota: more than there is
-            memory: 1Gi
+            memory: 9Gi
@ PATCH quota: more than there is, in a profile
-            memory: 6Gi
+            memory: 17Gi
@ POD quota: more pods than there is room for
-  replicas: 1
+  replicas: 20
@ POD yaml: a date
-        fsGroup: 65532
+        fsGroup: 2026-01-01
@ TEMPLATE pods: root in a chart
-        runAsNonRoot: true
"""


def _planted() -> Iterator[object]:
    for entry in PLANTED.strip("\n").split("\n@ "):
        head, *lines = entry.removeprefix("@ ").split("\n")
        file, _, name = head.partition(" ")
        old = "".join(f"{line[1:]}\n" for line in lines if line.startswith("-"))
        new = "".join(f"{line[1:]}\n" for line in lines if line.startswith("+"))
        rules = name.partition(":")[0]
        yield pytest.param(rules, FILES[file], old, new.replace("DIGEST", "a" * 64), id=name)


# Where a rule about two files tells what it finds, if not in the one that was edited.
ELSEWHERE = {"quota": FILES["QUOTA"], "kinds": f"{CHART}/templates/externalsecret.yaml"}
HIDDEN = [
    pytest.param("yaml", POD, "  replicas: 1\n", "  replicas: 1\r\n", id="yaml: CRLF"),
    pytest.param("secrets", POD, "", f"# {KEY}", id="secrets: a key in a comment"),
    pytest.param("secrets", layout.model(MODEL), "", f"# {TOKEN}\n", id="secrets: a token"),
    *(
        pytest.param("secrets", POD, "", f"# {token}\n", id=f"secrets: {token[:5]}")
        for token in (
            "hf_" + "a" * 34,
            "github_pat_" + "a" * 80,
            "eyJ" + "a" * 9 + ".eyJ" + "b" * 9 + "." + "c" * 20,
        )
    ),
]


@pytest.mark.parametrize(("rules", "path", "old", "new"), [*_planted(), *HIDDEN])
def test_a_rule_finds_what_a_person_writes(rules: str, path: str, old: str, new: str) -> None:
    text = settled().files[path].decode()
    assert old in text
    edited = text.replace(old, new, 1) if old else text + new
    found = findings(settled().put(path, edited.encode()))
    assert {one.rule for one in found} == set(rules.split()), "\n".join(map(str, found))
    assert {one.file for one in found} <= {path, ELSEWHERE.get(rules, CHART)}
    assert all(one.line for one in found if one.file != CHART)


@pytest.mark.parametrize(
    ("rule", "gone", "also"),
    [
        ("base", f"{BASE}/", {"lock-missing"}),
        ("base", f"{PROFILES}/", {"lock-missing"}),
        ("base", f"{PROFILES}/gpu/kustomization.yaml", {"lock-missing"}),
        ("base", KUSTOMIZATION, {"lock-missing"}),
        ("base", f"{BASE}/networkpolicy.yaml", {"lock-missing", "hardening"}),
        ("hardening", f"{CHART}/templates/networkpolicy.yaml", {"lock-missing"}),
        ("serving", f"{CHART}/templates/deployment.yaml", {"lock-missing", "chart", "scaling"}),
        ("chart", f"{CHART}/", {"lock-missing"}),
        ("chart", SCHEMA, {"lock-missing"}),
    ],
)
def test_a_rule_finds_what_is_gone(rule: str, gone: str, also: set[str]) -> None:
    kept = {path: data for path, data in settled().files.items() if not path.startswith(gone)}
    change = ChangeSet(settled().commit, dict.fromkeys(settled().files.keys() - kept.keys()), "go")
    assert {one.rule for one in findings(settled().land(change))} == {rule, *also}


@pytest.mark.parametrize("path", [KUSTOMIZATION, PROFILE])
@pytest.mark.parametrize("data", [b"", b"# nothing\n"])
def test_an_empty_kustomization_is_found(path: str, data: bytes) -> None:
    found = [one for one in findings(settled().put(path, data)) if one.rule == "base"]
    assert [(one.file, one.message) for one in found] == [
        (path, "the kustomization is empty, which does not build")
    ]


def test_a_patch_that_is_named_as_a_resource_must_be_called_a_manifest() -> None:
    have = settled().put(f"{BASE}/more.txt", b"kind: ConfigMap\n")
    text = have.files[KUSTOMIZATION] + b"- more.txt\n"
    (one,) = findings(have.put(KUSTOMIZATION, text))
    assert (one.rule, one.message) == ("base", "'more.txt' is not called a manifest")


def test_what_is_allowed_is_not_found() -> None:
    have = settled()
    text = have.files[POD].decode()
    sidecar = (
        "      - name: metrics\n"
        f"        image: exporter@sha256:{'b' * 64}\n"
        "        resources: {requests: {cpu: 1m, memory: 1Mi}, limits: {memory: 1Mi}}\n"
        "        securityContext:\n"
        "          readOnlyRootFilesystem: true\n"
        "          runAsNonRoot: true\n"
        "          allowPrivilegeEscalation: false\n"
        "          capabilities: {drop: [ALL], add: [NET_BIND_SERVICE]}\n"
        "          seccompProfile: {type: Localhost, localhostProfile: a}\n"
        "      volumes:\n"
    )
    have = have.put(POD, text.replace("      volumes:\n", sidecar).encode())
    have = have.put(f"{BASE}/more.yaml", b"kind: ConfigMap\ndata:\n  a: 'no'\n  b: |\n    x: 012\n")
    have = have.put(f"{BASE}/extra.json", b'{\n\t"kind": "ConfigMap"\n}\n')
    have = have.put(
        f"{BASE}/secret.yaml", b"kind: ExternalSecret\nspec: {target: {template: {data: {a: b}}}}\n"
    )
    have = have.put(f"{CHART}/templates/more.yaml", b"{{ if }}\n- [\n{{ end }}\n")
    assert findings(have) == ()


def with_kinds(have: Memory, *names: str) -> Memory:
    """Let the projects of the cloud allow more, and write them so."""
    path = layout.environment(CLOUD)
    have = have.edit(path, "kinds: []", f"kinds: [{', '.join(names)}]")
    return have.land(ChangeSet(have.commit, {**delivery(Repository(have)).files}, "deliver"))


def test_a_kind_that_the_environment_lists_is_allowed_and_reaches_the_project() -> None:
    values = f"{CHART}/values.yaml"
    have = settled().edit(values, "  enabled: false", "  enabled: true")
    assert [one.rule for one in findings(have)] == ["kinds"]
    have = with_kinds(have, "external-secrets.io/ExternalSecret")
    assert findings(have) == ()
    projects = [data for path, data in have.files.items() if path.endswith("project.yaml")]
    assert [data.count(b'"ExternalSecret"') for data in projects] == [1, 0, 0]


def test_two_scalers_of_one_deployment_are_found() -> None:
    have = with_kinds(settled(), "keda.sh/ScaledObject")
    scaled = (
        "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\n"
        'metadata: {name: "a-{{ .Values.release }}"}\n'
        'spec: {scaleTargetRef: {name: "defect-detector-{{ .Values.release }}"}}\n'
    )
    (one,) = findings(have.put(f"{CHART}/templates/keda.yaml", scaled.encode()))
    assert (one.rule, one.line) == ("scaling", 4)
    assert one.message == (
        "a HorizontalPodAutoscaler scales 'defect-detector-TEMPLATE' already, "
        "and this ScaledObject undoes it"
    )


def test_a_container_that_no_quota_can_count_is_found_where_nothing_is_usual() -> None:
    have = settled().put(FILES["RANGE"], None)
    assert {one.rule for one in findings(have)} == {"lock-missing"}
    have = have.edit(POD, '            cpu: "2"\n', "")
    rules = {one.rule: one.message for one in findings(have)}
    assert rules["quota"] == (
        "the container 'model-server' has no limits.cpu, and under a quota the sites refuse "
        "such a pod"
    )


def test_a_quota_for_some_pods_only_is_not_compared() -> None:
    have = settled().edit(FILES["QUOTA"], 'pods: "20"', 'pods: "1"')
    assert [one.rule for one in findings(have)] == ["quota"]
    have = have.edit(FILES["QUOTA"], "spec:\n", "spec:\n  scopes: [BestEffort]\n")
    assert findings(have) == ()


def test_only_the_profiles_that_sites_have_count_for_the_quota() -> None:
    have = Memory(fleet(sites=1, clusters=1)).do(baseline(12))  # one with jetson-arm64 or gpu
    (hardware,) = {one.hardware for one in have.view.repository.sites(EDGE)}
    for profile in ("cpu", "gpu", "jetson-arm64"):
        path = f"{PROFILES}/{profile}/patch.yaml"
        text = (
            have.files[path]
            .decode()
            .replace(
                "      - name: model-server\n",
                "      - name: model-server\n        resources: {limits: {memory: 99Gi}}\n",
            )
        )
        edited = have.put(path, text.replace("        resources:\n", "        ignored:\n").encode())
        rules = {one.rule for one in findings(edited)}
        assert ("quota" in rules) is (profile == hardware)


def test_two_models_share_one_quota() -> None:
    have = Memory(fleet(sites=6, clusters=1, models=(MODEL, "other-model")))
    assert findings(have) == ()
    have = have.edit(FILES["QUOTA"], "limits.memory: 32Gi", "limits.memory: 23Gi")
    (one,) = findings(have)
    assert one.message == (
        "limits.memory: 23Gi is less than the 24576Mi that the models of edge-k3s take while each "
        "has its new pod beside the old one"
    )
    assert one.fix == 'write "24576Mi" or more, or let them ask less'


@pytest.mark.parametrize("name", ["models_quota.yaml", "Models.yaml", "a.b.yaml", "-a.yaml"])
def test_a_file_that_k3s_cannot_name_an_add_on_after_is_found(name: str) -> None:
    (one,) = findings(settled().put(f"{K3S}/{name}", b"kind: ConfigMap\n"))
    assert (one.rule, one.fix) == ("k3s", "rename it: a-z, 0-9 and hyphens, then .yaml")


def test_a_condition_around_a_template_is_read() -> None:
    values = f"{CHART}/values.yaml"
    have = settled().edit(values, '  name: ""  ', "  name: models-reader  ")
    assert findings(have) == ()
    template = f"{CHART}/templates/hpa.yaml"
    off = have.edit(values, "  enabled: true       #", "  enabled: false      #")
    assert findings(off.edit(template, "kind: Deployment", "kind: StatefulSet")) == ()
    (one,) = findings(have.edit(template, "kind: Deployment", "kind: StatefulSet"))
    assert one.rule == "scaling"


def test_a_secret_whose_data_stand_elsewhere_is_allowed() -> None:
    have = settled().put(f"{BASE}/token.yaml", b"kind: Secret\ntype: example.com/token\n")
    images = b"images:\n- name: b\n  newName: c\n  digest: sha256:0\nsecretGenerator: []\n"
    assert findings(have.put(KUSTOMIZATION, have.files[KUSTOMIZATION] + images)) == ()


def test_a_release_is_looked_at_though_its_base_was_mended() -> None:
    sidecar = b"      - name: b\n        image: sidecar:1.2\n      volumes:\n"
    text = start().files[POD]
    have = start().put(POD, text.replace(b"      volumes:\n", sidecar)).do(baseline(12))
    name = have.view.rollout().stable
    copy = f"{layout.release(EDGE, MODEL, name)}/base/deployment.yaml"
    found = findings(have.put(POD, text))
    assert {(one.rule, one.file) for one in found} == {("floating", copy)}


def test_a_pointer_that_nothing_vouches_for_is_looked_into() -> None:
    path = f"{layout.pointer(EDGE, 'plant-0007', MODEL)}/kustomization.yaml"
    have = settled().put(path, b"resources:\n- https://github.com/x/y?ref=main\n")
    assert {(one.rule, one.file) for one in findings(have)} == {
        ("floating", path),
        ("pointers", path),
    }


@pytest.mark.parametrize("path", [POD, TEMPLATE, KUSTOMIZATION])
@pytest.mark.parametrize("text", ["x" * 9, "{{", "://a:", "a://a", "eyJ", "}}{{"])
def test_a_long_line_takes_no_time(path: str, text: str) -> None:
    have = settled()
    data = have.files[path] + b"# " + text.encode() * 50_000 + b"\n"
    start = time.process_time()
    findings(have.put(path, data))
    assert time.process_time() - start < 4  # seconds; what searched again and again took minutes


def test_a_selector_from_a_helper_is_not_known_here() -> None:
    helper = '{{- define "labels" -}}\na: b\n{{- end }}\n'
    have = settled().put(f"{CHART}/templates/_labels.tpl", helper.encode())
    template = f"{CHART}/templates/pdb.yaml"
    have = have.edit(
        template,
        '      tidegate.dev/release: "{{ .Values.release }}"\n',
        '      {{- include "labels" . | nindent 6 }}\n',
    )
    assert findings(have) == ()


# ------------------------------------------------------------------ reading


def test_values_are_found_by_their_path_and_line() -> None:
    (one,) = read_documents("a", b"a:\n  b:\n  - c: 'd'\n  - e\nf: {g: h}\n")
    assert one.text("a", "b", 0, "c") == "d"
    assert one.line_of("a", "b", 1) == 4
    assert one.line_of("f", "g", "i") == 5
    assert one.at("a", "b", 2) is None
    assert one.at("a", 0) is None
    assert one.text("f") == ""
    assert one.items("f") == ()
    assert one.entries("a", "b") == {}
    assert one.texts("a", "b") == ("", "e")
    assert [key for key, _ in one.walk()] == ["", "a", "b", "b", "c", "b", "f", "g"]


@pytest.mark.parametrize(
    ("data", "line", "message"),
    [
        (b"a: 1\na: 2\n", 2, "the key 'a' stands here twice"),
        (b"a: [1]\na: 2\n", 2, "the key 'a' stands here twice"),
        (b"a: &b 1\n", 1, "anchors and aliases are not allowed"),
        (b"a:\n- *b\n", 2, "anchors and aliases are not allowed"),
        (b"a: !!binary x\n", 1, "tags are not allowed"),
        (b"? [a]\n: b\n", 1, "a key must be a plain word"),
        (b"[" * 100_000, 1, "nested too deeply"),
        (b"- " * 100_000, 1, "nested too deeply"),
        (b"a: [\n", 2, "not YAML: did not find expected node content"),
        (b"a\r\n", 1, "holds CRLF line ends"),
        (b"a\n\xff", 2, "not UTF-8"),
        (b"\x00", None, "not YAML"),
        (b"a" * 5_000_000, None, "larger than 4194304 bytes"),
    ],
)
def test_what_cannot_be_read_is_refused(data: bytes, line: int | None, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_documents("f", data)
    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.message) == ("f", line, message)


def test_empty_documents_are_left_out() -> None:
    assert read_documents("f", b"---\n---\na: b\n---\n# nothing\n")[0].text("a") == "b"
    assert len(read_documents("f", b"---\n---\na: b\n---\n''\n")) == 2
