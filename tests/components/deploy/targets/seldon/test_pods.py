from components.deploy.targets.seldon.pods import _from_seldon, _to_seldon


def test_requests_and_answers_are_put_into_seldons_words_and_back() -> None:
    request = {"inputs": [{"name": "hour", "datatype": "INT64", "shape": [2], "data": [6, None]}]}
    assert _to_seldon(request) == {"jsonData": {"hour": [6, None]}}
    record = {
        "jsonData": {"class": ["a", "b"], "probabilities": [[0.25, 0.75], [0.5, 0.5]]},
        "meta": {"tags": {"model_version": "3"}},
    }
    body = _from_seldon(record)
    assert body["model_version"] == "3"
    assert [(one["datatype"], one["shape"]) for one in body["outputs"]] == [("BYTES", [2]), ("FP32", [2, 2])]
    refused = {"status": {"code": 400, "info": "wrong_type: 'hour', row 0"}}
    assert _from_seldon(refused) == {"error": "wrong_type: 'hour', row 0"}
