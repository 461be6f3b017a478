"""marshmallow with its sentences in Chinese: schemas take their names from here, so that the sentences stand before the first shape."""

from __future__ import annotations

from marshmallow import Schema, ValidationError, fields, validate, validates, validates_schema

__all__ = ["Schema", "ValidationError", "fields", "validate", "validates", "validates_schema"]

FIELDS: dict[type[fields.Field], dict[str, str]] = {
    fields.Field: {"required": "请填写这一项。", "null": "请填写这一项。", "validator_failed": "这一项不太对。"},
    fields.String: {"invalid": "这里要写文字。", "invalid_utf8": "这里有认不出的字符。"},
    fields.Number: {"invalid": "这里要写数字。", "too_large": "这个数太大了。"},
    fields.Integer: {"invalid": "这里要写整数。"},
    fields.Boolean: {"invalid": "这里只能写true或false。"},
    fields.Date: {"invalid": "日期请写成2022-01-08这样。"},
    fields.DateTime: {"invalid": "时间请写成2022-01-08T09:00:00+08:00这样。", "invalid_awareness": "时间后面要带时区，像+08:00。"},
    fields.List: {"invalid": "这里要写成一列。"},
    fields.Mapping: {"invalid": "这里要写成一组。"},
    fields.Nested: {"type": "这里要写成一组。"},
    fields.Url: {"invalid": "网址不完整，请从https://写起。"},
}
VALIDATORS: dict[type[validate.Validator], dict[str, str]] = {
    validate.Length: {"message_min": "太短了，最少{min}。", "message_max": "太长了，最多{max}。",
                      "message_all": "长短不对，要在{min}到{max}之间。", "message_equal": "长短不对，要正好{equal}。"},
    validate.Range: {"message_min": "不能小于{{min}}。", "message_max": "不能大于{{max}}。", "message_all": "要在{{min}}到{{max}}之间。"},
    validate.OneOf: {"default_message": "可以填：{choices}。"},
    validate.Equal: {"default_message": "要填{other}。"},
    validate.Regexp: {"default_message": "格式不对。"},
    validate.URL: {"default_message": "网址不完整，请从https://写起。"},
}

for _field, _said in FIELDS.items():
    _field.default_error_messages = getattr(_field, "default_error_messages", {}) | _said
for _validator, _said in VALIDATORS.items():
    for _name, _text in _said.items():
        setattr(_validator, _name, _text)
Schema._default_error_messages = {"type": "这里要写成一组。", "unknown": "没有这一项，请去掉。"}
