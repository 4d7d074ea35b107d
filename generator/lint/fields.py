"""Every field of the kinds that models bring, as Kubernetes 1.36 takes them.

One line for each type: `Type: field=type ...`; `[x]` is a list and `{x}` a mapping by free keys. A
test compares all of it with the published schemas.
"""

from collections.abc import Mapping

VERSION = "1.36"
KINDS: Mapping[str, str] = {
    "ConfigMap": "v1",
    "CronJob": "batch/v1",
    "DaemonSet": "apps/v1",
    "Deployment": "apps/v1",
    "HorizontalPodAutoscaler": "autoscaling/v2",
    "Job": "batch/v1",
    "LimitRange": "v1",
    "Namespace": "v1",
    "NetworkPolicy": "networking.k8s.io/v1",
    "PersistentVolumeClaim": "v1",
    "PodDisruptionBudget": "policy/v1",
    "ResourceQuota": "v1",
    "Service": "v1",
    "ServiceAccount": "v1",
    "StatefulSet": "apps/v1",
}
_TABLE = """
AWSElasticBlockStoreVolumeSource: fsType=text partition=int readOnly=bool volumeID=text
Affinity: nodeAffinity=NodeAffinity podAffinity=PodAffinity podAntiAffinity=PodAntiAffinity
AppArmorProfile: localhostProfile=text type=text
AzureDiskVolumeSource: cachingMode=text diskName=text diskURI=text fsType=text kind=text
  readOnly=bool
AzureFileVolumeSource: readOnly=bool secretName=text shareName=text
CSIVolumeSource: driver=text fsType=text nodePublishSecretRef=LocalObjectReference readOnly=bool
  volumeAttributes={text}
Capabilities: add=[text] drop=[text]
CephFSVolumeSource: monitors=[text] path=text readOnly=bool secretFile=text
  secretRef=LocalObjectReference user=text
CinderVolumeSource: fsType=text readOnly=bool secretRef=LocalObjectReference volumeID=text
ClientIPConfig: timeoutSeconds=int
ClusterTrustBundleProjection: labelSelector=LabelSelector name=text optional=bool path=text
  signerName=text
ConfigMap: apiVersion=text binaryData={text} data={text} immutable=bool kind=text
  metadata=ObjectMeta
ConfigMapEnvSource: name=text optional=bool
ConfigMapKeySelector: key=text name=text optional=bool
ConfigMapProjection: items=[KeyToPath] name=text optional=bool
ConfigMapVolumeSource: defaultMode=int items=[KeyToPath] name=text optional=bool
Container: args=[text] command=[text] env=[EnvVar] envFrom=[EnvFromSource] image=text
  imagePullPolicy=text lifecycle=Lifecycle livenessProbe=Probe name=text ports=[ContainerPort]
  readinessProbe=Probe resizePolicy=[ContainerResizePolicy] resources=ResourceRequirements
  restartPolicy=text restartPolicyRules=[ContainerRestartRule] securityContext=SecurityContext
  startupProbe=Probe stdin=bool stdinOnce=bool terminationMessagePath=text
  terminationMessagePolicy=text tty=bool volumeDevices=[VolumeDevice] volumeMounts=[VolumeMount]
  workingDir=text
ContainerPort: containerPort=int hostIP=text hostPort=int name=text protocol=text
ContainerResizePolicy: resourceName=text restartPolicy=text
ContainerResourceMetricSource: container=text name=text target=MetricTarget
ContainerRestartRule: action=text exitCodes=ContainerRestartRuleOnExitCodes
ContainerRestartRuleOnExitCodes: operator=text values=[int]
CronJob: apiVersion=text kind=text metadata=ObjectMeta spec=CronJobSpec
CronJobSpec: concurrencyPolicy=text failedJobsHistoryLimit=int jobTemplate=JobTemplateSpec
  schedule=text startingDeadlineSeconds=int successfulJobsHistoryLimit=int suspend=bool
  timeZone=text
CrossVersionObjectReference: apiVersion=text kind=text name=text
DaemonSet: apiVersion=text kind=text metadata=ObjectMeta spec=DaemonSetSpec
DaemonSetSpec: minReadySeconds=int revisionHistoryLimit=int selector=LabelSelector
  template=PodTemplateSpec updateStrategy=DaemonSetUpdateStrategy
DaemonSetUpdateStrategy: rollingUpdate=RollingUpdateDaemonSet type=text
Deployment: apiVersion=text kind=text metadata=ObjectMeta spec=DeploymentSpec
DeploymentSpec: minReadySeconds=int paused=bool progressDeadlineSeconds=int replicas=int
  revisionHistoryLimit=int selector=LabelSelector strategy=DeploymentStrategy
  template=PodTemplateSpec
DeploymentStrategy: rollingUpdate=RollingUpdateDeployment type=text
DownwardAPIProjection: items=[DownwardAPIVolumeFile]
DownwardAPIVolumeFile: fieldRef=ObjectFieldSelector mode=int path=text
  resourceFieldRef=ResourceFieldSelector
DownwardAPIVolumeSource: defaultMode=int items=[DownwardAPIVolumeFile]
EmptyDirVolumeSource: medium=text sizeLimit=quantity
EnvFromSource: configMapRef=ConfigMapEnvSource prefix=text secretRef=SecretEnvSource
EnvVar: name=text value=text valueFrom=EnvVarSource
EnvVarSource: configMapKeyRef=ConfigMapKeySelector fieldRef=ObjectFieldSelector
  fileKeyRef=FileKeySelector resourceFieldRef=ResourceFieldSelector
  secretKeyRef=SecretKeySelector
EphemeralContainer: args=[text] command=[text] env=[EnvVar] envFrom=[EnvFromSource] image=text
  imagePullPolicy=text lifecycle=Lifecycle livenessProbe=Probe name=text ports=[ContainerPort]
  readinessProbe=Probe resizePolicy=[ContainerResizePolicy] resources=ResourceRequirements
  restartPolicy=text restartPolicyRules=[ContainerRestartRule] securityContext=SecurityContext
  startupProbe=Probe stdin=bool stdinOnce=bool targetContainerName=text
  terminationMessagePath=text terminationMessagePolicy=text tty=bool
  volumeDevices=[VolumeDevice] volumeMounts=[VolumeMount] workingDir=text
EphemeralVolumeSource: volumeClaimTemplate=PersistentVolumeClaimTemplate
ExecAction: command=[text]
ExternalMetricSource: metric=MetricIdentifier target=MetricTarget
FCVolumeSource: fsType=text lun=int readOnly=bool targetWWNs=[text] wwids=[text]
FileKeySelector: key=text optional=bool path=text volumeName=text
FlexVolumeSource: driver=text fsType=text options={text} readOnly=bool
  secretRef=LocalObjectReference
FlockerVolumeSource: datasetName=text datasetUUID=text
GCEPersistentDiskVolumeSource: fsType=text partition=int pdName=text readOnly=bool
GRPCAction: port=int service=text
GitRepoVolumeSource: directory=text repository=text revision=text
GlusterfsVolumeSource: endpoints=text path=text readOnly=bool
HPAScalingPolicy: periodSeconds=int type=text value=int
HPAScalingRules: policies=[HPAScalingPolicy] selectPolicy=text stabilizationWindowSeconds=int
  tolerance=quantity
HTTPGetAction: host=text httpHeaders=[HTTPHeader] path=text port=port scheme=text
HTTPHeader: name=text value=text
HorizontalPodAutoscaler: apiVersion=text kind=text metadata=ObjectMeta
  spec=HorizontalPodAutoscalerSpec
HorizontalPodAutoscalerBehavior: scaleDown=HPAScalingRules scaleUp=HPAScalingRules
HorizontalPodAutoscalerSpec: behavior=HorizontalPodAutoscalerBehavior maxReplicas=int
  metrics=[MetricSpec] minReplicas=int scaleTargetRef=CrossVersionObjectReference
HostAlias: hostnames=[text] ip=text
HostPathVolumeSource: path=text type=text
IPBlock: cidr=text except=[text]
ISCSIVolumeSource: chapAuthDiscovery=bool chapAuthSession=bool fsType=text initiatorName=text
  iqn=text iscsiInterface=text lun=int portals=[text] readOnly=bool
  secretRef=LocalObjectReference targetPortal=text
ImageVolumeSource: pullPolicy=text reference=text
Job: apiVersion=text kind=text metadata=ObjectMeta spec=JobSpec
JobSpec: activeDeadlineSeconds=int backoffLimit=int backoffLimitPerIndex=int completionMode=text
  completions=int managedBy=text manualSelector=bool maxFailedIndexes=int parallelism=int
  podFailurePolicy=PodFailurePolicy podReplacementPolicy=text selector=LabelSelector
  successPolicy=SuccessPolicy suspend=bool template=PodTemplateSpec ttlSecondsAfterFinished=int
JobTemplateSpec: metadata=ObjectMeta spec=JobSpec
KeyToPath: key=text mode=int path=text
LabelSelector: matchExpressions=[LabelSelectorRequirement] matchLabels={text}
LabelSelectorRequirement: key=text operator=text values=[text]
Lifecycle: postStart=LifecycleHandler preStop=LifecycleHandler stopSignal=text
LifecycleHandler: exec=ExecAction httpGet=HTTPGetAction sleep=SleepAction
  tcpSocket=TCPSocketAction
LimitRange: apiVersion=text kind=text metadata=ObjectMeta spec=LimitRangeSpec
LimitRangeItem: default={quantity} defaultRequest={quantity} max={quantity}
  maxLimitRequestRatio={quantity} min={quantity} type=text
LimitRangeSpec: limits=[LimitRangeItem]
LocalObjectReference: name=text
MetricIdentifier: name=text selector=LabelSelector
MetricSpec: containerResource=ContainerResourceMetricSource external=ExternalMetricSource
  object=ObjectMetricSource pods=PodsMetricSource resource=ResourceMetricSource type=text
MetricTarget: averageUtilization=int averageValue=quantity type=text value=quantity
NFSVolumeSource: path=text readOnly=bool server=text
Namespace: apiVersion=text kind=text metadata=ObjectMeta spec=NamespaceSpec
NamespaceSpec: finalizers=[text]
NetworkPolicy: apiVersion=text kind=text metadata=ObjectMeta spec=NetworkPolicySpec
NetworkPolicyEgressRule: ports=[NetworkPolicyPort] to=[NetworkPolicyPeer]
NetworkPolicyIngressRule: from=[NetworkPolicyPeer] ports=[NetworkPolicyPort]
NetworkPolicyPeer: ipBlock=IPBlock namespaceSelector=LabelSelector podSelector=LabelSelector
NetworkPolicyPort: endPort=int port=port protocol=text
NetworkPolicySpec: egress=[NetworkPolicyEgressRule] ingress=[NetworkPolicyIngressRule]
  podSelector=LabelSelector policyTypes=[text]
NodeAffinity: preferredDuringSchedulingIgnoredDuringExecution=[PreferredSchedulingTerm]
  requiredDuringSchedulingIgnoredDuringExecution=NodeSelector
NodeSelector: nodeSelectorTerms=[NodeSelectorTerm]
NodeSelectorRequirement: key=text operator=text values=[text]
NodeSelectorTerm: matchExpressions=[NodeSelectorRequirement]
  matchFields=[NodeSelectorRequirement]
ObjectFieldSelector: apiVersion=text fieldPath=text
ObjectMeta: annotations={text} creationTimestamp=text deletionGracePeriodSeconds=int
  deletionTimestamp=text finalizers=[text] generateName=text generation=int labels={text}
  name=text namespace=text ownerReferences=[OwnerReference] resourceVersion=text selfLink=text
  uid=text
ObjectMetricSource: describedObject=CrossVersionObjectReference metric=MetricIdentifier
  target=MetricTarget
ObjectReference: apiVersion=text fieldPath=text kind=text name=text namespace=text
  resourceVersion=text uid=text
OwnerReference: apiVersion=text blockOwnerDeletion=bool controller=bool kind=text name=text
  uid=text
PersistentVolumeClaim: apiVersion=text kind=text metadata=ObjectMeta
  spec=PersistentVolumeClaimSpec
PersistentVolumeClaimSpec: accessModes=[text] dataSource=TypedLocalObjectReference
  dataSourceRef=TypedObjectReference resources=VolumeResourceRequirements selector=LabelSelector
  storageClassName=text volumeAttributesClassName=text volumeMode=text volumeName=text
PersistentVolumeClaimTemplate: metadata=ObjectMeta spec=PersistentVolumeClaimSpec
PersistentVolumeClaimVolumeSource: claimName=text readOnly=bool
PhotonPersistentDiskVolumeSource: fsType=text pdID=text
PodAffinity: preferredDuringSchedulingIgnoredDuringExecution=[WeightedPodAffinityTerm]
  requiredDuringSchedulingIgnoredDuringExecution=[PodAffinityTerm]
PodAffinityTerm: labelSelector=LabelSelector matchLabelKeys=[text] mismatchLabelKeys=[text]
  namespaceSelector=LabelSelector namespaces=[text] topologyKey=text
PodAntiAffinity: preferredDuringSchedulingIgnoredDuringExecution=[WeightedPodAffinityTerm]
  requiredDuringSchedulingIgnoredDuringExecution=[PodAffinityTerm]
PodCertificateProjection: certificateChainPath=text credentialBundlePath=text keyPath=text
  keyType=text maxExpirationSeconds=int signerName=text userAnnotations={text}
PodDNSConfig: nameservers=[text] options=[PodDNSConfigOption] searches=[text]
PodDNSConfigOption: name=text value=text
PodDisruptionBudget: apiVersion=text kind=text metadata=ObjectMeta spec=PodDisruptionBudgetSpec
PodDisruptionBudgetSpec: maxUnavailable=port minAvailable=port selector=LabelSelector
  unhealthyPodEvictionPolicy=text
PodFailurePolicy: rules=[PodFailurePolicyRule]
PodFailurePolicyOnExitCodesRequirement: containerName=text operator=text values=[int]
PodFailurePolicyOnPodConditionsPattern: status=text type=text
PodFailurePolicyRule: action=text onExitCodes=PodFailurePolicyOnExitCodesRequirement
  onPodConditions=[PodFailurePolicyOnPodConditionsPattern]
PodOS: name=text
PodReadinessGate: conditionType=text
PodResourceClaim: name=text resourceClaimName=text resourceClaimTemplateName=text
PodSchedulingGate: name=text
PodSchedulingGroup: podGroupName=text
PodSecurityContext: appArmorProfile=AppArmorProfile fsGroup=int fsGroupChangePolicy=text
  runAsGroup=int runAsNonRoot=bool runAsUser=int seLinuxChangePolicy=text
  seLinuxOptions=SELinuxOptions seccompProfile=SeccompProfile supplementalGroups=[int]
  supplementalGroupsPolicy=text sysctls=[Sysctl] windowsOptions=WindowsSecurityContextOptions
PodSpec: activeDeadlineSeconds=int affinity=Affinity automountServiceAccountToken=bool
  containers=[Container] dnsConfig=PodDNSConfig dnsPolicy=text enableServiceLinks=bool
  ephemeralContainers=[EphemeralContainer] hostAliases=[HostAlias] hostIPC=bool hostNetwork=bool
  hostPID=bool hostUsers=bool hostname=text hostnameOverride=text
  imagePullSecrets=[LocalObjectReference] initContainers=[Container] nodeName=text
  nodeSelector={text} os=PodOS overhead={quantity} preemptionPolicy=text priority=int
  priorityClassName=text readinessGates=[PodReadinessGate] resourceClaims=[PodResourceClaim]
  resources=ResourceRequirements restartPolicy=text runtimeClassName=text schedulerName=text
  schedulingGates=[PodSchedulingGate] schedulingGroup=PodSchedulingGroup
  securityContext=PodSecurityContext serviceAccount=text serviceAccountName=text
  setHostnameAsFQDN=bool shareProcessNamespace=bool subdomain=text
  terminationGracePeriodSeconds=int tolerations=[Toleration]
  topologySpreadConstraints=[TopologySpreadConstraint] volumes=[Volume]
PodTemplateSpec: metadata=ObjectMeta spec=PodSpec
PodsMetricSource: metric=MetricIdentifier target=MetricTarget
PortworxVolumeSource: fsType=text readOnly=bool volumeID=text
PreferredSchedulingTerm: preference=NodeSelectorTerm weight=int
Probe: exec=ExecAction failureThreshold=int grpc=GRPCAction httpGet=HTTPGetAction
  initialDelaySeconds=int periodSeconds=int successThreshold=int tcpSocket=TCPSocketAction
  terminationGracePeriodSeconds=int timeoutSeconds=int
ProjectedVolumeSource: defaultMode=int sources=[VolumeProjection]
QuobyteVolumeSource: group=text readOnly=bool registry=text tenant=text user=text volume=text
RBDVolumeSource: fsType=text image=text keyring=text monitors=[text] pool=text readOnly=bool
  secretRef=LocalObjectReference user=text
ResourceClaim: name=text request=text
ResourceFieldSelector: containerName=text divisor=quantity resource=text
ResourceMetricSource: name=text target=MetricTarget
ResourceQuota: apiVersion=text kind=text metadata=ObjectMeta spec=ResourceQuotaSpec
ResourceQuotaSpec: hard={quantity} scopeSelector=ScopeSelector scopes=[text]
ResourceRequirements: claims=[ResourceClaim] limits={quantity} requests={quantity}
RollingUpdateDaemonSet: maxSurge=port maxUnavailable=port
RollingUpdateDeployment: maxSurge=port maxUnavailable=port
RollingUpdateStatefulSetStrategy: maxUnavailable=port partition=int
SELinuxOptions: level=text role=text type=text user=text
ScaleIOVolumeSource: fsType=text gateway=text protectionDomain=text readOnly=bool
  secretRef=LocalObjectReference sslEnabled=bool storageMode=text storagePool=text system=text
  volumeName=text
ScopeSelector: matchExpressions=[ScopedResourceSelectorRequirement]
ScopedResourceSelectorRequirement: operator=text scopeName=text values=[text]
SeccompProfile: localhostProfile=text type=text
SecretEnvSource: name=text optional=bool
SecretKeySelector: key=text name=text optional=bool
SecretProjection: items=[KeyToPath] name=text optional=bool
SecretVolumeSource: defaultMode=int items=[KeyToPath] optional=bool secretName=text
SecurityContext: allowPrivilegeEscalation=bool appArmorProfile=AppArmorProfile
  capabilities=Capabilities privileged=bool procMount=text readOnlyRootFilesystem=bool
  runAsGroup=int runAsNonRoot=bool runAsUser=int seLinuxOptions=SELinuxOptions
  seccompProfile=SeccompProfile windowsOptions=WindowsSecurityContextOptions
Service: apiVersion=text kind=text metadata=ObjectMeta spec=ServiceSpec
ServiceAccount: apiVersion=text automountServiceAccountToken=bool
  imagePullSecrets=[LocalObjectReference] kind=text metadata=ObjectMeta
  secrets=[ObjectReference]
ServiceAccountTokenProjection: audience=text expirationSeconds=int path=text
ServicePort: appProtocol=text name=text nodePort=int port=int protocol=text targetPort=port
ServiceSpec: allocateLoadBalancerNodePorts=bool clusterIP=text clusterIPs=[text]
  externalIPs=[text] externalName=text externalTrafficPolicy=text healthCheckNodePort=int
  internalTrafficPolicy=text ipFamilies=[text] ipFamilyPolicy=text loadBalancerClass=text
  loadBalancerIP=text loadBalancerSourceRanges=[text] ports=[ServicePort]
  publishNotReadyAddresses=bool selector={text} sessionAffinity=text
  sessionAffinityConfig=SessionAffinityConfig trafficDistribution=text type=text
SessionAffinityConfig: clientIP=ClientIPConfig
SleepAction: seconds=int
StatefulSet: apiVersion=text kind=text metadata=ObjectMeta spec=StatefulSetSpec
StatefulSetOrdinals: start=int
StatefulSetPersistentVolumeClaimRetentionPolicy: whenDeleted=text whenScaled=text
StatefulSetSpec: minReadySeconds=int ordinals=StatefulSetOrdinals
  persistentVolumeClaimRetentionPolicy=StatefulSetPersistentVolumeClaimRetentionPolicy
  podManagementPolicy=text replicas=int revisionHistoryLimit=int selector=LabelSelector
  serviceName=text template=PodTemplateSpec updateStrategy=StatefulSetUpdateStrategy
  volumeClaimTemplates=[PersistentVolumeClaim]
StatefulSetUpdateStrategy: rollingUpdate=RollingUpdateStatefulSetStrategy type=text
StorageOSVolumeSource: fsType=text readOnly=bool secretRef=LocalObjectReference volumeName=text
  volumeNamespace=text
SuccessPolicy: rules=[SuccessPolicyRule]
SuccessPolicyRule: succeededCount=int succeededIndexes=text
Sysctl: name=text value=text
TCPSocketAction: host=text port=port
Toleration: effect=text key=text operator=text tolerationSeconds=int value=text
TopologySpreadConstraint: labelSelector=LabelSelector matchLabelKeys=[text] maxSkew=int
  minDomains=int nodeAffinityPolicy=text nodeTaintsPolicy=text topologyKey=text
  whenUnsatisfiable=text
TypedLocalObjectReference: apiGroup=text kind=text name=text
TypedObjectReference: apiGroup=text kind=text name=text namespace=text
Volume: awsElasticBlockStore=AWSElasticBlockStoreVolumeSource azureDisk=AzureDiskVolumeSource
  azureFile=AzureFileVolumeSource cephfs=CephFSVolumeSource cinder=CinderVolumeSource
  configMap=ConfigMapVolumeSource csi=CSIVolumeSource downwardAPI=DownwardAPIVolumeSource
  emptyDir=EmptyDirVolumeSource ephemeral=EphemeralVolumeSource fc=FCVolumeSource
  flexVolume=FlexVolumeSource flocker=FlockerVolumeSource
  gcePersistentDisk=GCEPersistentDiskVolumeSource gitRepo=GitRepoVolumeSource
  glusterfs=GlusterfsVolumeSource hostPath=HostPathVolumeSource image=ImageVolumeSource
  iscsi=ISCSIVolumeSource name=text nfs=NFSVolumeSource
  persistentVolumeClaim=PersistentVolumeClaimVolumeSource
  photonPersistentDisk=PhotonPersistentDiskVolumeSource portworxVolume=PortworxVolumeSource
  projected=ProjectedVolumeSource quobyte=QuobyteVolumeSource rbd=RBDVolumeSource
  scaleIO=ScaleIOVolumeSource secret=SecretVolumeSource storageos=StorageOSVolumeSource
  vsphereVolume=VsphereVirtualDiskVolumeSource
VolumeDevice: devicePath=text name=text
VolumeMount: mountPath=text mountPropagation=text name=text readOnly=bool recursiveReadOnly=text
  subPath=text subPathExpr=text
VolumeProjection: clusterTrustBundle=ClusterTrustBundleProjection configMap=ConfigMapProjection
  downwardAPI=DownwardAPIProjection podCertificate=PodCertificateProjection
  secret=SecretProjection serviceAccountToken=ServiceAccountTokenProjection
VolumeResourceRequirements: limits={quantity} requests={quantity}
VsphereVirtualDiskVolumeSource: fsType=text storagePolicyID=text storagePolicyName=text
  volumePath=text
WeightedPodAffinityTerm: podAffinityTerm=PodAffinityTerm weight=int
WindowsSecurityContextOptions: gmsaCredentialSpec=text gmsaCredentialSpecName=text
  hostProcess=bool runAsUserName=text
"""


def _read(table: str) -> Mapping[str, Mapping[str, str]]:
    rows = table.replace("\n  ", " ").strip().split("\n")
    pairs = (row.partition(": ") for row in rows)
    return {name: dict(field.split("=") for field in rest.split()) for name, _, rest in pairs}


FIELDS = _read(_TABLE)
