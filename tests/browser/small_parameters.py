"""Other parameters for every notebook, with which it takes seconds."""

BIRDS = {"birds_resnet": ["birds", 12]}
SMALL = {
    "01_theory": {
        "images": 2,
        "steps": 4,
        "path_networks": {"birds_resnet": ["birds", 2]},
        "precision_networks": BIRDS,
    },
    "02_input_space": {"networks": {"birds_resnet": ["birds", 3]}, "iterations": [1, 2], "epsilons": [0.002]},
    "03_maps": {"networks": {"birds_resnet": ["birds", 40]}, "pictures": 1, "threshold": 0.2},
    "04_masking": {"networks": {"birds_resnet": ["birds", 40]}, "crossed": {}, "threshold": 0.2},
    "05_corrections": {
        "network": "birds_alexnet",
        "layers": ["network.features.10", "network.features.11"],
        "images": 3,
        "path_images": 1,
        "choosing": BIRDS,
        "sure": BIRDS,
    },
    "06_three_classes": {
        "network": "birds_resnet",
        "pictures": 1,
        "networks": {"birds_resnet": ["birds", 60]},
        "counted": {"birds_resnet": ["birds", 6]},
        "threshold": 0.05,
    },
    "07_dominance": {
        "networks": {"birds_resnet": ["birds", 60]},
        "slopes_of": {"birds_resnet": ["birds", 6, {"ends": 30, "step": 10}]},
        "dominated": {
            "birds_resnet": [
                "birds",
                20,
                {"baselines": ["blur"], "mask_rules": ["equal_as_coded", "equal_as_described"]},
            ]
        },
        "threshold": 0.2,
    },
    "08_fullgrad": {"network": "birds_resnet", "pictures": 1, "networks": {"birds_resnet": ["birds", 6]}},
    "09_transformers": {
        "pictures": 1,
        "networks": {"birds_vit": ["birds", 30]},
        "drawn_birds": 4,
        "threshold": 0.05,
    },
    "10_lrp": {
        "network": "birds_resnet",
        "pictures": 1,
        "networks": {"birds_resnet": ["birds", 2]},
        "scenes": 10,
        "units": {},
    },
    "11_explore": {"networks": ["birds_resnet"], "layers": {}, "classes": 4, "searched": 200},
    "12_your_picture": {"network": "birds_resnet", "classes": 3},
    "14_interventions": {
        "networks": {"birds_resnet": ["birds", 60]},
        "crossed": {},
        "repaintings": 1,
        "resamples": 100,
    },
    "15_one_family": {"networks": BIRDS},
    "16_controls": {
        "networks": {"birds_resnet": ["birds", 30]},
        "drawn": {"birds_resnet": ["birds", 60]},
        "shares": [0.5],
        "steps": 2,
        "removed": {"birds_resnet": ["birds", 8, {"scoring_model": "birds_alexnet", "controls": ["noise"]}]},
        "forgetful": BIRDS,
        "retrained": {},
        "repaintings": 1,
        "resamples": 100,
    },
    "17_masking_errata": {
        "network": "birds_alexnet",
        "images": 3,
        "blur_draws": 2,
        "choosing": BIRDS,
        "scoring_models": {"birds_resnet": ["birds", 12, {"scoring_model": "birds_alexnet"}]},
    },
    "18_layers": {
        "network": "birds_alexnet",
        "layers": ["network.features.10", "network.features.11"],
        "images": 3,
        "plain": {},
        "hooked": {"birds_resnet": ["birds", 30, {"layers": ["network.layer3.1.bn2", "network.layer3.1"]}]},
    },
    "19_pointing": {
        "networks": {"birds_resnet": ["birds", 2]},
        "scenes": 10,
        "neurons": {},
        "ablated": {"birds_resnet": ["birds", 4, {"sizes": [9]}]},
    },
    "20_conservation": {
        "networks": {"birds_resnet": ["birds", 2]},
        "homogeneous": {},
        "entering": {},
        "random_networks": 1,
    },
    "21_scaling": {"workers": [1, 8], "lifetimes": [2], "teraflops": 100},
}
