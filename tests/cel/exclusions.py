# SPDX-License-Identifier: Apache-2.0
"""The conformance cases that do not apply, each with the reason.

A pattern is file/section/case with shell wildcards. Files of the specification
that have nothing for the subset at all are in FILES.
"""

UINT = "unsigned integers are not in the subset"
BYTES = "bytes are not in the subset"
MESSAGE = "protobuf messages are not in the subset"
TIME = "timestamps and durations are not in the subset"
TYPE = "types as values are not in the subset"
REGEX = "matches() is not in the subset: its time has no bound"
MATH = "of the math functions only greatest and least are in the subset"
MACROS2 = "macros with two variables are not in the subset"
CONTAINER = "there are no containers: a configuration has one scope"
EXTENSION = "an extension library that is not in the subset"
STATIC = "types and names are checked at compile time, which cannot be switched off"
NULL = "differs on purpose: null compares false instead of failing"

FILES = {
    "bindings_ext": EXTENSION,
    "block_ext": EXTENSION,
    "dynamic": MESSAGE,
    "encoders_ext": EXTENSION,
    "enums": MESSAGE,
    "network_ext": EXTENSION,
    "optionals": EXTENSION,
    "proto2": MESSAGE,
    "proto2_ext": MESSAGE,
    "proto3": MESSAGE,
    "string_ext": EXTENSION,
    "timestamps": TIME,
    "type_deduction": TYPE,
    "wrappers": MESSAGE,
}

EXCLUSIONS = [
    ("basic/self_eval_*zeroish/self_eval_uint_*", UINT),
    ("comparisons/*_literal/*_uint*", UINT),
    ("comparisons/eq_literal/*eq_list_mixed_type_numbers", UINT),
    ("comparisons/eq_literal/*eq_map_mixed_type_numbers", UINT),
    ("comparisons/ne_literal/ne_mixed_types", UINT),
    ("comparisons/in_list_literal/elem_in_mixed_type_list_cross_type", UINT),
    ("comparisons/in_map_literal/key_in_mixed_key_type_map*", UINT),
    ("comparisons/bound/uint_eq_right_false", UINT),
    ("conversions/double/uint_*", UINT),
    ("conversions/int/uint*", UINT),
    ("conversions/string/uint", UINT),
    ("conversions/identity/uint", UINT),
    ("conversions/uint/[!d]*", UINT),
    ("conversions/uint/double", UINT),
    ("conversions/uint/double_[!u]*", UINT),
    ("fields/map_fields/map_key_uint64", UINT),
    ("fields/map_fields/map_key_string", UINT),
    ("fields/map_fields/map_key_mixed_*", UINT),
    ("fields/map_fields/map_value_uint64", UINT),
    ("fields/map_fields/map_value_list", UINT),
    ("fields/qualified_identifier_resolution/map_value_repeat_key_heterogeneous", UINT),
    ("fields/in/mixed_numbers_and_keys_*", UINT),
    ("integer_math/int64_math/unary_minus_no_overload", UINT),
    ("integer_math/int64_math/uint64_overflow_*", UINT),
    ("integer_math/uint64_math/*", UINT),
    ("lists/index/zero_based_uint", UINT),
    ("lists/in/singleton", UINT),
    ("lists/in/last", UINT),
    ("lists/in/*uint*", UINT),
    ("math_ext/*_uint_result/*", UINT),
    ("math_ext/*_[id]*_result/*ary_with_uint", UINT),
    ("math_ext/*_[id]*_result/quaternary_mixed*", UINT),
    ("parse/nest/funcall", UINT),

    ("basic/self_eval_*zeroish/self_eval_bytes_*", BYTES),
    ("comparisons/*_literal/*_bytes*", BYTES),
    ("comparisons/bound/bytes_gt_left_false", BYTES),
    ("conversions/bytes/*", BYTES),
    ("conversions/string/bytes*", BYTES),
    ("conversions/identity/bytes", BYTES),
    ("fields/map_fields/map_bad_key_type*", BYTES),
    ("fields/map_fields/map_value_bytes", BYTES),
    ("parse/bytes_literals/*", BYTES),
    ("string/size/bytes*", BYTES),
    ("string/bytes_concat/*", BYTES),

    ("comparisons/eq_literal/*_proto?_msg_null", MESSAGE),
    ("comparisons/eq_literal/eq_dyn_json_null", MESSAGE),
    ("comparisons/eq_wrapper/*", MESSAGE),
    ("comparisons/ne_literal/ne_proto*", MESSAGE),
    ("parse/nest/message_literal", MESSAGE),
    ("parse/repeat/message_literal", MESSAGE),
    ("parse/repeat/select", MESSAGE),
    ("parse/whitespace/*", MESSAGE),
    ("parse/comments/new_line_terminated", MESSAGE),
    ("parse/struct_field_names/*", MESSAGE),

    ("comparisons/eq_literal/*_duration_null", TIME),
    ("comparisons/eq_literal/*_timestamp_null", TIME),
    ("conversions/int/timestamp", TIME),
    ("conversions/identity/duration", TIME),
    ("conversions/identity/timestamp", TIME),

    ("conversions/dyn/dyn_heterogeneous_list", TYPE),
    ("conversions/type/[!d]*", TYPE),
    ("conversions/type/double*", TYPE),

    ("string/matches/*", REGEX),

    ("math_ext/ceil/*", MATH),
    ("math_ext/floor/*", MATH),
    ("math_ext/round/*", MATH),
    ("math_ext/trunc/*", MATH),
    ("math_ext/abs/*", MATH),
    ("math_ext/sign/*", MATH),
    ("math_ext/is*/*", MATH),
    ("math_ext/bit_*/*", MATH),

    ("macros2/*/*", MACROS2),

    ("namespace/namespace/self_eval_container_lookup*", CONTAINER),
    ("namespace/namespace_shadowing/basic", CONTAINER),

    ("basic/variables/unbound_is_runtime_error", STATIC),
    ("basic/functions/unbound_is_runtime_error", STATIC),
    ("logic/AND/short_circuit_type_*", STATIC),
    ("logic/OR/short_circuit_type_*", STATIC),
    ("parse/receiver_function_names/*", STATIC),

    ("comparisons/*_literal/*_null_unsupported", NULL),
    ("comparisons/bound/null_lt_right_no_such_overload", NULL),
]
