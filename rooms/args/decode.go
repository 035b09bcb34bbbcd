package args

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"siomq/rooms"
)

// Bind decodes the values of a into ptrs in order. A nil in ptrs skips one
// value. Pointers beyond the last value are left as they are, as missing
// arguments are undefined in JavaScript; values beyond the last pointer are
// ignored. An error says the index of the argument.
//
// The rules are those of json.Unmarshal. In addition a binary attachment is
// decoded wherever a []byte or an empty interface stands, into memory of its
// own; a rooms.Args receives the value undecoded; a json.Unmarshaler sees binary
// data as a base64 string, and a json.RawMessage the placeholder.
func Bind(a rooms.Args, ptrs ...any) error {
	if len(ptrs) == 0 {
		return nil
	}
	for i, raw := range All(a) {
		if i == len(ptrs) {
			break
		}
		if ptrs[i] == nil {
			continue
		}
		if err := Decode(raw, a.Attachments, ptrs[i]); err != nil {
			return fmt.Errorf("argument %d into %T: %w", i, ptrs[i], err)
		}
	}
	return nil
}

// Decode decodes one raw JSON value into v, as Bind does it. Placeholders in
// raw count into attachments.
func Decode(raw []byte, attachments [][]byte, v any) error {
	switch p := v.(type) {
	case *string:
		if p != nil && len(attachments) == 0 && KindOf(raw) == String {
			s, err := Unquote(raw)
			if err == nil {
				*p = s
			}
			return err
		}
	case *json.RawMessage:
		if p != nil {
			*p = bytes.Clone(raw)
			return nil
		}
	}
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Pointer || rv.IsNil() {
		return &json.InvalidUnmarshalError{Type: reflect.TypeOf(v)}
	}
	info := decodeInfoOf(rv.Type().Elem())
	if !info.args {
		if len(attachments) == 0 {
			return json.Unmarshal(raw, v)
		}
		if _, _, _, ok := nextPlaceholder(raw, 0); !ok {
			return json.Unmarshal(raw, v)
		}
	}
	if err := Scan(raw, Rules{Attachments: len(attachments)}); err != nil {
		return err
	}
	d := decoder{raw: raw, attachments: attachments}
	_, err := d.value(skipSpace(raw, 0), rv.Elem())
	return err
}

// Unquote returns the text of a JSON string. An unpaired surrogate escape
// becomes U+FFFD, as encoding/json does it. The result shares no memory with raw.
func Unquote(raw []byte) (string, error) {
	raw = bytes.TrimSpace(raw)
	if n := len(raw); n >= 2 && raw[0] == '"' && plainEnd(raw, 1) == n-1 && raw[n-1] == '"' {
		return string(raw[1 : n-1]), nil
	}
	if KindOf(raw) != String {
		return "", fmt.Errorf("%w: not a string", ErrSyntax)
	}
	var s string
	if err := Scan(raw, Rules{}); err != nil {
		return "", err
	}
	err := json.Unmarshal(raw, &s)
	return s, err
}

// decoder decodes text that has binary data in it, or a part of which is
// wanted undecoded. It goes through raw once; raw has been checked. What cannot
// concern it is left to encoding/json.
//
// Its methods decode the value at i and return where it ends.
type decoder struct {
	raw         []byte
	attachments [][]byte
}

func (d *decoder) value(i int, v reflect.Value) (int, error) {
	t := v.Type()
	info := decodeInfoOf(t)
	switch {
	case t == argsType:
		end := d.skip(i)
		v.Set(reflect.ValueOf(d.args(i, end)))
		return end, nil
	case !info.binary && !info.args:
		return d.unmarshal(i, v, true)
	case t == rawMessageType:
		end := d.skip(i)
		v.SetBytes(slices.Clone(d.raw[i:end]))
		return end, nil
	case v.Kind() == reflect.Pointer:
		return d.pointer(i, v)
	case implements(t, jsonUnmarshalerType):
		return d.unmarshaler(i, v)
	case v.Kind() == reflect.Interface:
		return d.iface(i, v)
	}
	if num, end, ok := placeholderAt(d.raw, i); ok && num < len(d.attachments) {
		if t.Kind() != reflect.Slice || t.Elem().Kind() != reflect.Uint8 {
			return 0, &json.UnmarshalTypeError{Value: "binary data", Type: t, Offset: int64(i)}
		}
		v.SetBytes(slices.Clone(d.attachments[num]))
		return end, nil
	}
	switch c := d.raw[i]; {
	case c == '{' && v.Kind() == reflect.Struct:
		return d.object(i, d.structMember(v, info.fields))
	case c == '{' && v.Kind() == reflect.Map:
		if v.IsNil() {
			v.Set(reflect.MakeMap(t))
		}
		return d.object(i, d.mapMember(v))
	case c == '[' && v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(t, 0, 0))
		return d.array(i, func(_, i int) (int, error) {
			v.Set(reflect.Append(v, reflect.Zero(t.Elem())))
			return d.value(i, v.Index(v.Len()-1))
		})
	case c == '[' && v.Kind() == reflect.Array:
		v.SetZero()
		return d.array(i, func(n, i int) (int, error) {
			if n >= v.Len() {
				return d.skip(i), nil
			}
			return d.value(i, v.Index(n))
		})
	}
	return d.unmarshal(i, v, false)
}

// unmarshal leaves a value to encoding/json. Binary data, if there may be some,
// has no place in it.
func (d *decoder) unmarshal(i int, v reflect.Value, maybeBinary bool) (int, error) {
	end := d.skip(i)
	if maybeBinary && len(d.attachments) > 0 {
		if at, _, _, ok := nextPlaceholder(d.raw[i:end], 0); ok {
			return 0, &json.UnmarshalTypeError{Value: "binary data", Type: v.Type(), Offset: int64(i + at)}
		}
	}
	return end, json.Unmarshal(d.raw[i:end], v.Addr().Interface())
}

func (d *decoder) pointer(i int, v reflect.Value) (int, error) {
	if d.raw[i] == 'n' {
		v.SetZero()
		return d.skip(i), nil
	}
	if v.IsNil() {
		v.Set(reflect.New(v.Type().Elem()))
	}
	return d.value(i, v.Elem())
}

func (d *decoder) iface(i int, v reflect.Value) (int, error) {
	if p := v.Elem(); d.raw[i] != 'n' && p.Kind() == reflect.Pointer && !p.IsNil() {
		return d.value(i, p.Elem()) // as json.Unmarshal
	}
	if v.NumMethod() > 0 {
		return 0, &json.UnmarshalTypeError{Value: "value", Type: v.Type(), Offset: int64(i)}
	}
	x, end, err := d.any(i)
	if err != nil {
		return 0, err
	}
	if x == nil {
		v.SetZero()
	} else {
		v.Set(reflect.ValueOf(x))
	}
	return end, nil
}

// unmarshaler gives the text to a type's own method, with binary data as
// encoding/json writes it.
func (d *decoder) unmarshaler(i int, v reflect.Value) (int, error) {
	end := d.skip(i)
	var text []byte
	pos := i
	for len(d.attachments) > 0 {
		start, after, num, ok := nextPlaceholder(d.raw[:end], pos)
		if !ok {
			break
		}
		quoted, err := json.Marshal(d.attachments[num])
		if err != nil {
			return 0, err
		}
		text = append(append(text, d.raw[pos:start]...), quoted...)
		pos = after
	}
	text = append(text, d.raw[pos:end]...)
	return end, json.Unmarshal(text, v.Addr().Interface())
}

// args returns the value as arguments of their own.
func (d *decoder) args(i, end int) rooms.Args {
	a := rooms.Args{Raw: d.raw[i:end:end], N: 1}
	if len(d.attachments) > 0 {
		pick(&a, d.attachments)
	}
	return a
}

// any decodes a value for an empty interface.
func (d *decoder) any(i int) (x any, end int, err error) {
	if len(d.attachments) > 0 {
		if num, end, ok := placeholderAt(d.raw, i); ok {
			return slices.Clone(d.attachments[num]), end, nil
		}
	}
	switch d.raw[i] {
	case '{':
		m := make(map[string]any)
		end, err = d.object(i, func(name string, i int) (end int, err error) {
			m[name], end, err = d.any(i)
			return end, err
		})
		return m, end, err
	case '[':
		s := []any{}
		end, err = d.array(i, func(_, i int) (int, error) {
			x, end, err := d.any(i)
			s = append(s, x)
			return end, err
		})
		return s, end, err
	}
	end = d.skip(i)
	return x, end, json.Unmarshal(d.raw[i:end], &x)
}

// object calls member for each name with the start of the value.
func (d *decoder) object(i int, member func(name string, i int) (int, error)) (int, error) {
	for i = skipSpace(d.raw, i+1); d.raw[i] != '}'; {
		end := skipString(d.raw, i)
		name, err := Unquote(d.raw[i:end])
		if err != nil {
			return 0, err
		}
		i = skipSpace(d.raw, skipSpace(d.raw, end)+1) // behind the colon
		if i, err = member(name, i); err != nil {
			return 0, err
		}
		if i = skipSpace(d.raw, i); d.raw[i] == ',' {
			i = skipSpace(d.raw, i+1)
		}
	}
	return i + 1, nil
}

// array calls element for each index with the start of the value.
func (d *decoder) array(i int, element func(n, i int) (int, error)) (int, error) {
	i = skipSpace(d.raw, i+1)
	for n := 0; d.raw[i] != ']'; n++ {
		var err error
		if i, err = element(n, i); err != nil {
			return 0, err
		}
		if i = skipSpace(d.raw, i); d.raw[i] == ',' {
			i = skipSpace(d.raw, i+1)
		}
	}
	return i + 1, nil
}

// skip returns the end of the value at i, without white space behind it.
func (d *decoder) skip(i int) int {
	end := skipValue(d.raw, i)
	return i + len(bytes.TrimRight(d.raw[i:end], " \t\r\n"))
}
