// The parts of KServe's custom resources that deploy/kserve/ uses; no package has their types. From
// pkg/apis/serving/v1alpha1/servingruntime_types.go and v1beta1/{component,predictor,predictor_model}.go.
import type { DeploymentStrategy } from "kubernetes-types/apps/v1";
import type { Container, PodSpec } from "kubernetes-types/core/v1";
import type { ObjectMeta } from "kubernetes-types/meta/v1";

type Protocol = "v1" | "v2" | "grpc-v1" | "grpc-v2";

export interface ServingRuntime {
  apiVersion: "serving.kserve.io/v1alpha1";
  kind: "ServingRuntime";
  metadata: ObjectMeta;
  spec: Pick<PodSpec, "volumes" | "nodeSelector" | "affinity" | "tolerations" | "imagePullSecrets" | "hostIPC"> & {
    containers: Container[];
    labels?: { [name: string]: string };
    annotations?: { [name: string]: string };
    supportedModelFormats: { name: string; version?: string; autoSelect?: boolean; priority?: number }[];
    multiModel?: boolean;
    disabled?: boolean;
    protocolVersions?: Protocol[];
  };
}

// A container that KServe names.
interface Model extends Partial<Omit<Container, "name">> {
  modelFormat: { name: string; version?: string };
  runtime?: string;
  storageUri?: string;
  runtimeVersion?: string;
  protocolVersion?: Protocol;
}

export interface InferenceService {
  apiVersion: "serving.kserve.io/v1beta1";
  kind: "InferenceService";
  metadata: ObjectMeta;
  spec: {
    predictor: Partial<PodSpec> & {
      model: Model;
      minReplicas?: number;
      maxReplicas?: number;
      scaleTarget?: number;
      scaleMetric?: "concurrency" | "rps" | "cpu" | "memory";
      containerConcurrency?: number;
      timeout?: number;
      canaryTrafficPercent?: number;
      labels?: { [name: string]: string };
      annotations?: { [name: string]: string };
      deploymentStrategy?: DeploymentStrategy;
    };
  };
}
