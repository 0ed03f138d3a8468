// The parts of kustomization.yaml and of the Prometheus adapter's values that deploy/ uses; no package has types.
interface ConfigMapGenerator {
  name: string;
  behavior?: "create" | "merge" | "replace";
  files?: string[];
}

export interface Kustomization {
  apiVersion: "kustomize.config.k8s.io/v1beta1";
  kind: "Kustomization";
  namespace?: string;
  resources: string[];
  configMapGenerator?: ConfigMapGenerator[];
  images?: { name: string; newName?: string; newTag?: string; digest?: string }[];
  patches?: { path: string }[];
}

export interface AdapterValues {
  rules: {
    custom: {
      seriesQuery: string;
      resources: { overrides: { [label: string]: { resource: string; group?: string } } };
      name?: { matches?: string; as: string };
      metricsQuery: string;
    }[];
  };
}
