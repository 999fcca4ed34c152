"""The shared package that speaks to Kubernetes: deploy serves models through it, pipelines deploy Naru itself."""
