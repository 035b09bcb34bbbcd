package args

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strconv"

	"siomq/rooms"
)

// reflected encodes a value of any other type than those known to encoder.any.
func (e *encoder) reflected(v any) error {
	return e.value(reflect.ValueOf(v), false)
}

// plainDepth is how deep a plain type may nest on its own: nearer to the limit
// than this, values are walked through.
const plainDepth = 64

// value encodes v; quoted is the string option of a field's tag.
func (e *encoder) value(v reflect.Value, quoted bool) error {
	if !v.IsValid() {
		e.null()
		return nil
	}
	t := v.Type()
	info := infoOf(t)
	switch {
	case info.bytes:
		e.binary(v.Bytes())
		return nil
	case info.plain && !quoted && e.depth < MaxDepth-plainDepth:
		return e.plain(v)
	case t == argsType:
		return e.nested(v.Interface().(rooms.Args))
	}
	if done, err := e.marshaler(v); done {
		return err
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			e.null()
			return nil
		}
		if e.hops++; e.hops > maxHops {
			return ErrDepth
		}
		err := e.value(v.Elem(), quoted)
		e.hops--
		return err
	case reflect.Struct:
		return e.structValue(v, info.fields)
	case reflect.Map:
		return e.mapValue(v)
	case reflect.Slice, reflect.Array:
		return e.list(v)
	}
	return e.scalar(v, quoted)
}

// plain leaves v to encoding/json.
func (e *encoder) plain(v reflect.Value) error {
	switch v.Kind() { // unless that would be a detour
	case reflect.String, reflect.Int, reflect.Int64, reflect.Bool:
		if !marshals(v.Type()) {
			return e.scalar(v, false)
		}
	}
	if v.CanAddr() {
		v = v.Addr() // so that methods of the pointer are found
	}
	w := &rawWriter{raw: e.out.Raw} // apart from e, which then stays on the stack
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v.Interface()); err != nil {
		return typeError(err)
	}
	e.out.Raw = w.raw[:len(w.raw)-1] // without the newline of json.Encoder
	return nil
}

// rawWriter keeps what is written.
type rawWriter struct{ raw []byte }

var _ io.Writer = (*rawWriter)(nil)

func (w *rawWriter) Write(p []byte) (int, error) {
	w.raw = append(w.raw, p...)
	return len(p), nil
}

// typeError makes an error of encoding/json one of this package.
func typeError(err error) error {
	var unsupported *json.UnsupportedTypeError
	var value *json.UnsupportedValueError
	switch {
	case errors.As(err, &unsupported):
		return fmt.Errorf("%w %s", ErrType, unsupported.Type)
	case errors.As(err, &value):
		return fmt.Errorf("%w: %s", ErrDepth, value.Str)
	}
	return err
}

// marshaler encodes a value whose type has a JSON form of its own.
func (e *encoder) marshaler(v reflect.Value) (done bool, err error) {
	if !v.Type().Implements(jsonMarshalerType) && !v.Type().Implements(textMarshalerType) {
		if v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface || !v.CanAddr() || !marshals(v.Type()) {
			return false, nil
		}
		v = v.Addr()
	}
	if (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface) && v.IsNil() {
		e.null()
		return true, nil
	}
	switch m := v.Interface().(type) {
	case json.Marshaler:
		raw, err := m.MarshalJSON()
		if err != nil {
			return true, fmt.Errorf("MarshalJSON of %s: %w", v.Type(), err)
		}
		if raw == nil && v.Type() != rawMessageType {
			return true, fmt.Errorf("MarshalJSON of %s: %w", v.Type(), ErrSyntax)
		}
		return true, e.rawJSON(raw)
	case encoding.TextMarshaler:
		text, err := m.MarshalText()
		if err != nil {
			return true, fmt.Errorf("MarshalText of %s: %w", v.Type(), err)
		}
		e.out.Raw = AppendString(e.out.Raw, string(text))
		return true, nil
	}
	return false, nil
}

func (e *encoder) structValue(v reflect.Value, fields []field) error {
	if err := e.open('{'); err != nil {
		return err
	}
	n := 0
	for i := range fields {
		f := &fields[i]
		fv, ok := fieldByIndex(v, f.index)
		if !ok || f.omitEmpty && isEmpty(fv) || f.omitZero && isZero(fv) {
			continue
		}
		e.key(n, f.name)
		n++
		if err := e.value(fv, f.quoted); err != nil {
			return memberError(f.name, err)
		}
	}
	e.close('}')
	return nil
}

// fieldByIndex is reflect.Value.FieldByIndex that fails at a nil pointer.
func fieldByIndex(v reflect.Value, index []int) (reflect.Value, bool) {
	for _, i := range index {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return v, false
			}
			v = v.Elem()
		}
		v = v.Field(i)
	}
	return v, true
}

// isEmpty is the meaning of omitempty.
func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}

// isZero is the meaning of omitzero.
func isZero(v reflect.Value) bool {
	if v.IsZero() && (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface) {
		return true
	}
	switch {
	case v.Type().Implements(isZeroerType):
	case v.CanAddr() && reflect.PointerTo(v.Type()).Implements(isZeroerType):
		v = v.Addr()
	default:
		return v.IsZero()
	}
	return v.Interface().(interface{ IsZero() bool }).IsZero()
}

func (e *encoder) mapValue(v reflect.Value) error {
	if v.IsNil() {
		e.null()
		return nil
	}
	if err := e.open('{'); err != nil {
		return err
	}
	type member struct {
		name  string
		value reflect.Value
	}
	members := make([]member, 0, v.Len())
	for it := v.MapRange(); it.Next(); {
		name, err := keyName(it.Key())
		if err != nil {
			return err
		}
		members = append(members, member{name, it.Value()})
	}
	slices.SortFunc(members, func(a, b member) int {
		switch {
		case a.name < b.name:
			return -1
		case a.name > b.name:
			return 1
		}
		return 0
	})
	for i, m := range members {
		e.key(i, m.name)
		if err := e.value(m.value, false); err != nil {
			return memberError(m.name, err)
		}
	}
	e.close('}')
	return nil
}

// keyName is the name that a map's key has in JSON.
func keyName(k reflect.Value) (string, error) {
	if k.Kind() == reflect.String {
		return k.String(), nil
	}
	if m, ok := k.Interface().(encoding.TextMarshaler); ok {
		if k.Kind() == reflect.Pointer && k.IsNil() {
			return "", nil
		}
		text, err := m.MarshalText()
		return string(text), err
	}
	switch {
	case k.CanInt():
		return strconv.FormatInt(k.Int(), 10), nil
	case k.CanUint():
		return strconv.FormatUint(k.Uint(), 10), nil
	}
	return "", fmt.Errorf("%w %s as the key of a map", ErrType, k.Type())
}

func (e *encoder) list(v reflect.Value) error {
	if v.Kind() == reflect.Slice && v.IsNil() {
		e.null()
		return nil
	}
	if err := e.open('['); err != nil {
		return err
	}
	for i := range v.Len() {
		e.comma(i)
		if err := e.value(v.Index(i), false); err != nil {
			return err
		}
	}
	e.close(']')
	return nil
}

func (e *encoder) scalar(v reflect.Value, quoted bool) error {
	start := len(e.out.Raw)
	if v.Kind() == reflect.String {
		return e.text(v, quoted)
	}
	if quoted {
		e.out.Raw = append(e.out.Raw, '"')
	}
	switch {
	case v.Kind() == reflect.Bool:
		e.out.Raw = strconv.AppendBool(e.out.Raw, v.Bool())
	case v.CanInt():
		e.out.Raw = strconv.AppendInt(e.out.Raw, v.Int(), 10)
	case v.CanUint():
		e.out.Raw = strconv.AppendUint(e.out.Raw, v.Uint(), 10)
	case v.CanFloat():
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			e.out.Raw = append(e.out.Raw[:start], "null"...) // without quotes
			return nil
		}
		e.out.Raw = AppendFloat(e.out.Raw, v.Float(), v.Type().Bits())
	default:
		return fmt.Errorf("%w %s", ErrType, v.Type())
	}
	if quoted {
		e.out.Raw = append(e.out.Raw, '"')
	}
	return nil
}

// text encodes a value of kind string; a json.Number is a number.
func (e *encoder) text(v reflect.Value, quoted bool) error {
	s := v.String()
	if v.Type() != numberType {
		if quoted {
			s = string(AppendString(nil, s))
		}
		e.out.Raw = AppendString(e.out.Raw, s)
		return nil
	}
	if s == "" {
		s = "0" // as encoding/json
	}
	if KindOf([]byte(s)) != Number {
		return fmt.Errorf("number %q: %w", cut(s), ErrSyntax)
	}
	if quoted {
		e.out.Raw = append(e.out.Raw, '"')
		defer func() { e.out.Raw = append(e.out.Raw, '"') }()
	}
	return e.rawJSON([]byte(s))
}

// memberError says where in a value an error is, unless that is very far in.
func memberError(name string, err error) error {
	if errors.Is(err, ErrDepth) {
		return err
	}
	return fmt.Errorf("member %q: %w", cut(name), err)
}
