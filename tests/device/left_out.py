"""Tests that say nothing of a card when ``device="auto"`` is one, each with the reason.

`python -m pytest --device cuda` leaves them out. They hold on the CPU.
"""

_OWN_TENSORS = "it computes what is expected with tensors of its own, which are on the CPU"
_SIZES = "the sizes and numbers of nets that it expects are those of the CPU"
_HOOK = "it replaces what a recorded step does not ask Python for again"
_WORDS = "on a card the comparison of a stacked step finds it, and says so in other words"
_ROUNDING = "it compares bits, and a card adds up in another order each time"

LEFT_OUT = {
    "tests/balancing/test_grad_norm.py::test_a_large_task_does_not_drown_the_others": _OWN_TENSORS,
    "tests/estimators/test_faults.py::test_a_fit_that_fails_before_an_epoch_is_over_leaves": _HOOK,
    "tests/estimators/test_fit_tasks.py::test_nets_are_tasks_whether_stacked_or_not": _SIZES,
    "tests/estimators/test_held_out_responses.py::test_each_net_answers_for_the_labelled_rows": _OWN_TENSORS,
    "tests/estimators/test_interruption.py::test_a_stack_keeps_the_epochs_that_are_over": _HOOK,
    "tests/estimators/test_interruption.py::test_nets_of_a_bag_that_have_no_epoch_are_left_out": _HOOK,
    "tests/estimators/test_interruption.py::test_partial_fit_leaves_nets_as_they_were": _HOOK,
    "tests/estimators/test_interruption.py::test_the_epochs_that_are_over_are_kept": _ROUNDING,
    "tests/estimators/test_interruption.py::test_the_mark_and_the_bag_go_through_pickle": _HOOK,
    "tests/inference/test_blend.py::test_beside_a_module_that_works_in_place": _OWN_TENSORS,
    "tests/inference/test_blend.py::test_labels_of_held_out_rows_change_none_of_the_models": _OWN_TENSORS,
    "tests/inference/test_blend.py::test_rows_that_are_known_by_heart_count_for_nothing": _OWN_TENSORS,
    "tests/inference/test_boosted_trees.py::test_all_their_trees_give_what": _OWN_TENSORS,
    "tests/inference/test_boosted_trees.py::test_beside_a_linear_model_all_shares": _OWN_TENSORS,
    "tests/inference/test_boosted_trees.py::test_held_out_rows_are_walked_through": _OWN_TENSORS,
    "tests/inference/test_boosted_trees.py::test_labels_of_held_out_rows_change_no_tree": _OWN_TENSORS,
    "tests/inference/test_calibration.py::test_members_are_averaged_before_the_log_loss": _OWN_TENSORS,
    "tests/inference/test_padding.py::test_sizes_are_tried_once_for_each_network": _SIZES,
    "tests/inference/test_prediction.py::test_chunks_bound_memory_and_change_nothing": _SIZES,
    "tests/inference/test_prediction.py::test_no_more_rows_are_encoded_at_once": _SIZES,
    "tests/inference/test_prediction.py::test_several_chunks_are_encoded_at_once": _SIZES,
    "tests/training/stacking/test_batches.py::test_an_epoch_has_the_rows_and_masks": _OWN_TENSORS,
    "tests/training/stacking/test_comparison.py::test_what_cannot_be_stacked_is_trained_alone": _WORDS,
    "tests/training/stacking/test_grouping.py::test_memory_bounds_the_stack": _SIZES,
    "tests/training/stacking/test_module.py::test_dropout_takes_the_masks_in_the_order": _OWN_TENSORS,
    "tests/training/stacking/test_own_step.py::test_its_gradients_and_losses_are_those": _ROUNDING,
    "tests/training/stacking/test_own_step.py::test_why_a_net_must_train_alone[random": _WORDS,
    "tests/training/stacking/test_train.py::test_a_net_that_does_not_fit_into_memory": _SIZES,
    "tests/training/stacking/test_train.py::test_few_nets_are_no_stack_on_a_cpu": _SIZES,
    "tests/training/stacking/test_train.py::test_nets_in_no_stack_can_be_trained": _ROUNDING,
    "tests/training/stacking/test_train.py::test_plans_too_few_for_a_stack": _SIZES,
    "tests/training/stacking/test_trainer.py::test_a_learned_balancer_with_a_memory": _OWN_TENSORS,
    "tests/training/stacking/test_weights.py::test_each_net_is_clipped_by_its_own_bound": _OWN_TENSORS,
    "tests/training/test_gradient_conflict.py::test_they_are_the_cosines_of_the_gradients": _OWN_TENSORS,
}
