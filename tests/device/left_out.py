"""Tests that say nothing of a card when ``device="auto"`` is one, each with the reason.

`python -m pytest --device cuda` leaves them out. They hold on the CPU.
"""

_OWN_TENSORS = "it computes what is expected with tensors of its own, which are on the CPU"
_SIZES = "the sizes and numbers of nets that it expects are those of the CPU"
_HOOK = "it replaces what a recorded step does not ask Python for again"
_WORDS = "on a card the comparison of a stacked step finds it, and says so in other words"
_WHY = "it expects a reason that holds on a CPU alone"
_THREADS = "torch tells the whole process of a wait, and tests make errors of what it tells in any thread"
_ROUNDING = "it compares bits, and a card adds up in another order each time"

LEFT_OUT = {
    "tests/contract/test_default_trunk.py::test_a_module_takes_the_parameters_of_the_trunk": _OWN_TENSORS,
    "tests/contract/test_default_trunk.py::test_it_is_searched[images": _ROUNDING,
    (
        "tests/contract/test_default_trunk.py::test_it_is_the_default_of_the_input_with_these_parameters"
        "[images"
    ): _ROUNDING,
    "tests/contract/test_drawn_rows.py::test_a_seed_is_a_result_and_another_one_is_another": _ROUNDING,
    "tests/contract/test_drawn_rows.py::test_an_augmentation_that_draws_elsewhere": _OWN_TENSORS,
    "tests/contract/test_drawn_rows.py::test_epochs_in_two_parts_are_epochs_at_once": _ROUNDING,
    "tests/contract/test_drawn_rows.py::test_sample_weights_are_the_same_loss_on_average": _OWN_TENSORS,
    "tests/contract/test_drawn_rows.py::test_the_loss_of_a_mixed_row_is_the_mix_of_both": _OWN_TENSORS,
    "tests/contract/test_files.py::test_default_trunks_and_cross_validation": _ROUNDING,
    "tests/contract/test_files.py::test_few_rows_are_in_memory_at_once_in_a_search": _SIZES,
    "tests/contract/test_incremental.py::test_twelve_epochs_are_five_and_then_seven": _ROUNDING,
    "tests/contract/test_own_texts.py::test_a_frozen_encoder_stays_as_it_was": _OWN_TENSORS,
    "tests/contract/test_sequences.py::test_rows_read_batch_by_batch_and_at_once_are_learned": _ROUNDING,
    "tests/contract/test_sharing.py::test_a_missing_label_has_no_gradient": _OWN_TENSORS,
    "tests/contract/test_sharing.py::test_permuting_the_tasks_permutes_the_outputs": _OWN_TENSORS,
    "tests/model_selection/search/test_manifold_search.py::test_in_a_pipeline_with_several_scores": _THREADS,
    "tests/training/checkpoints/test_killed.py::test_kills_and_another_order": _ROUNDING,
    "tests/training/checkpoints/test_resume.py::": _ROUNDING,
    "tests/balancing/test_grad_norm.py::test_a_large_task_does_not_drown_the_others": _OWN_TENSORS,
    "tests/balancing/test_methods.py::test_training_on_goes_on_with_the_state": _ROUNDING,
    "tests/estimators/test_faults.py::test_a_fit_that_fails_before_an_epoch_is_over_leaves": _HOOK,
    "tests/estimators/test_faults.py::test_an_error_in_a_later_epoch_leaves": _HOOK,
    "tests/estimators/test_fit_tasks.py::test_nets_are_tasks_whether_stacked_or_not": _SIZES,
    "tests/estimators/test_held_out_responses.py::test_each_net_answers_for_the_labelled_rows": _OWN_TENSORS,
    "tests/estimators/test_interruption.py::test_a_stack_keeps_the_epochs_that_are_over": _HOOK,
    "tests/estimators/test_interruption.py::test_nets_of_a_bag_that_have_no_epoch_are_left_out": _HOOK,
    "tests/estimators/test_interruption.py::test_partial_fit_leaves_nets_as_they_were": _HOOK,
    "tests/estimators/test_interruption.py::test_the_epochs_that_are_over_are_kept": _ROUNDING,
    "tests/estimators/test_interruption.py::test_the_mark_and_the_bag_go_through_pickle": _HOOK,
    "tests/features/test_images.py::test_bytes_are_as_their_floats": _ROUNDING,
    "tests/features/test_images.py::test_grey_images_without_an_axis": _ROUNDING,
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
    "tests/inspection/test_calibration.py::test_missing_labels_are_left_out": _ROUNDING,
    "tests/inspection/test_permutation_importance.py::test_rows_without_a_label_do_not_count": _ROUNDING,
    (
        "tests/model_selection/search/test_recipes_law.py::test_the_scores_of_each_fold_are_those_of_the_plain_search"
        "[CNN"
    ): _WHY,
    (
        "tests/model_selection/search/test_stacked_searches.py::test_any_parameter_may_be_searched"
        "[preprocessing+lr"
    ): _ROUNDING,
    (
        "tests/sharing/test_separate.py::test_modules_of_the_users_are_stacked_too_but_for_dropout[dropout"
    ): _WORDS,
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
    "tests/training/test_parameter_groups.py::test_a_search_trains_what_single_fits_train[rates": _WORDS,
    "tests/training/test_gradient_conflict.py::test_they_are_the_cosines_of_the_gradients": _OWN_TENSORS,
}
