"""How agents fail in production, each way driven into on purpose: what the user, the model and the operator see.

None of these runs hangs: each reaches an end, or a request to a human, within bounds that it states itself; and no
workflow task fails (`no_task_failed`), so no run is stuck in the server's endless retries.

| the six failure modes                         | test_six_modes.py                                                 |
|-----------------------------------------------|-------------------------------------------------------------------|
| 1 tool errors that cascade                    | test_mode_1_…                                                     |
| 2 infinite loops                              | test_mode_2_…                                                     |
| 3 context window overflow                     | test_mode_3_…                                                     |
| 4 hallucinated tool calls                     | test_mode_4_…                                                     |
| 5 stuck states                                | test_mode_5_…                                                     |
| 6 cost explosions                             | test_mode_6_…                                                     |

| the triggers of the five categories           | test                                                              |
|-----------------------------------------------|-------------------------------------------------------------------|
| hallucination: outside the knowledge          | test_hallucination.py, test_outside_its_knowledge_…               |
|   partial tool results are filled in          |   test_half_a_tool_result_…                                       |
|   small errors compound over steps            |   test_an_error_that_has_grown_…                                  |
|   truncation removes what matters             |   test_what_was_cut_…                                             |
| integration: response schemas change          | test_integration.py, test_a_renamed_field_…                       |
|   tokens expire in a long session             |   test_an_expired_token_…                                         |
|   rate limits during a batch                  |   test_a_rate_limit_…                                             |
|   DNS failures and timeouts                   |   test_a_name_that_does_not_resolve_…                             |
|   TLS certificates rotate                     |   test_a_certificate_…                                            |
| context: long conversations                   | test_context.py, test_a_prompt_that_is_too_long_…                 |
|   large tool responses                        |   test_a_tool_that_answers_too_much_…                             |
|   prompts and definitions leave no room       |   test_no_room_for_an_answer_…                                    |
|   several sessions                            |   test_after_a_wait_on_another_worker_…                           |
|   documents longer than expected              |   test_a_document_of_megabytes_…                                  |
| tool calls: ambiguous requests                | test_tool_call_errors.py, test_the_wrong_tool_…                   |
|   similar parameter names                     |   test_a_similar_parameter_…                                      |
|   complex parameter types                     |   test_nested_arguments_…                                         |
|   errors cascade through later calls          |   test_an_error_in_one_call_…                                     |
|   rules that the schema does not hold         |   test_a_rule_beyond_the_schema_…                                 |
| degradation: the provider updates its model   | test_silent_degradation.py, test_another_model_…                  |
|   users ask other things                      |   test_what_was_asked_…                                           |
|   knowledge becomes stale                     |   test_when_a_fact_was_read_…                                     |
|   infrastructure becomes slower               |   test_slower_answers_…                                           |
|   prompts drift                               |   test_changed_instructions_…                                     |

`test_abuse.py` sends whatever there is: as the model, as a tool, as a signal.

What Holdfast does not do: it does not judge whether a model's words are true, and does not notice drift by itself. It
guarantees that results have their type, that calls are what the tool takes, that every step is on record with its model,
version, cost and time, and that there is a person to ask. The tests of such triggers assert that, and no more.
"""
