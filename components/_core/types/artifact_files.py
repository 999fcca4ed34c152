"""The names of files inside artifacts, in one place."""

# examples
MANIFEST = "manifest.json"
# quarantine: rows that could not be read, as they stood, with file, line and reason
QUARANTINE = "rows.jsonl"
# code: the archive of the project's own Python and its reviewed schema
PREPROCESSING = "preprocessing.py"
MODEL = "model.py"
REVIEWED_SCHEMA = "schema.pbtxt"
# statistics, schema (TensorFlow Metadata text protos)
STATISTICS = "statistics.binpb"
SCHEMA = "schema.pbtxt"
# transform_graph: TFT's own layout (transform_fn, transformed_metadata) beside these
CLASSES = "classes.json"
# and, where rules decide on columns by what the training rows hold, what they decided
COLUMN_CHOICES = "column_choices.json"
# hyperparameters
HYPERPARAMETERS = "hyperparameters.json"
TRIALS = "trials.json"
# and, of a search over kinds of model, the best of each kind
LEADERBOARD = "leaderboard.json"
# model
SAVED_MODEL = "saved_model"
ONNX_MODEL = "model.onnx"
# how much the model goes by each of its inputs, where its structure says so
STRUCTURE = "structure.json"
SIGNATURE = "signature.json"
# of a registered model: a real row and the training ranges, for its server
REFERENCE = "reference.json"
# and, where the project has `serve.optimize`, which variant it is, and of which model
VARIANT = "variant.json"
# SHA-256 of every file of a model, and of every file of a registered version
DIGESTS = "sha256.json"
# history
HISTORY = "history.json"
# and the environment that the model was trained in
ENVIRONMENT = "environment.json"
# and, with tune.baselines, the scores of simpler models on eval rows, and what was not fitted
BASELINE_SCORES = "baselines.npz"
BASELINE_NOTES = "baselines.json"
# evaluation: times, kept apart from the outcome and the page, which are the same whenever the inputs are
LATENCY = "latency.json"
# and test rows with the model's answers; a registered version keeps them beside its model
SAMPLE = "sample.parquet"
# and the champion that the model was compared with
COMPARED = "champion.json"
# and what each feature is worth to that champion, on the rows on which explain measures it for the challenger
CHAMPION_IMPORTANCES = "champion_importances.json"
# and what was measured of the model's variants, and the one that was chosen, as a model artifact; the sample has its answers then
VARIANTS = "variants.json"
CHOSEN_VARIANT = "variant"
# and what a monitor compares served requests with; a registered version keeps it, with the importances, beside its model
MONITORING_REFERENCE = "monitoring_reference.json"
# monitoring: what a run of the monitor gave (docs/monitoring.md)
MONITORING = "monitoring.json"
# explanation: what each feature is worth, for programs
IMPORTANCES = "importances.json"
# registration (and a request that the version answers), rollout
REGISTRATION = "registration.json"
REQUEST = "request.json"
SETTLEMENT = "settlement.json"
ROLLOUT = "rollout.json"
# rollout: the record of the run; on a laptop the run's folder has one of the same name, with more keys
RUN_RECORD = "run.json"
# every judging stage: the outcome (checks, verdict, metrics) and the page as data
OUTCOME = "outcome.json"
PAGE = "page.json"
