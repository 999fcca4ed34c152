"""The shared Kubernetes client: deploy serves models through it, pipelines deploy Naru itself."""
