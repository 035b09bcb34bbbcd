package args

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"
)

// decodeInfo is what decoding asks about a type, found out once.
type decodeInfo struct {
	binary bool // a value of the type can take binary data somewhere
	args   bool // a value of the type can hold a rooms.Args somewhere
	fields []field
}

// decodeInfos remembers the decodeInfo of each reflect.Type, see typeInfos.
var decodeInfos sync.Map

func decodeInfoOf(t reflect.Type) *decodeInfo {
	if v, ok := decodeInfos.Load(t); ok {
		return v.(*decodeInfo)
	}
	info := &decodeInfo{}
	info.look(t, make(map[reflect.Type]bool))
	if t.Kind() == reflect.Struct {
		info.fields = fieldsOf(t)
	}
	v, _ := decodeInfos.LoadOrStore(t, info)
	return v.(*decodeInfo)
}

// look goes through the types that a value of type t is made of.
func (d *decodeInfo) look(t reflect.Type, seen map[reflect.Type]bool) {
	if seen[t] {
		return
	}
	seen[t] = true
	switch {
	case t == argsType:
		d.args = true
		return
	case implements(t, jsonUnmarshalerType) && t.Kind() != reflect.Pointer:
		d.binary = true
		return
	}
	switch t.Kind() {
	case reflect.Interface:
		d.binary = true
	case reflect.Slice:
		d.binary = d.binary || t.Elem().Kind() == reflect.Uint8
		d.look(t.Elem(), seen)
	case reflect.Pointer, reflect.Array, reflect.Map:
		d.look(t.Elem(), seen)
	case reflect.Struct:
		for i := range t.NumField() {
			d.look(t.Field(i).Type, seen)
		}
	}
}

// structMember returns what decodes the members of an object into the fields of v.
func (d *decoder) structMember(v reflect.Value, fields []field) func(string, int) (int, error) {
	return func(name string, i int) (int, error) {
		f := fieldNamed(fields, name)
		if f == nil {
			return d.skip(i), nil
		}
		fv, err := settableField(v, f.index)
		if err != nil {
			return 0, err
		}
		var end int
		if f.quoted && d.raw[i] != 'n' {
			end, err = d.quoted(i, fv)
		} else {
			end, err = d.value(i, fv)
		}
		if err != nil {
			return 0, memberError(f.name, err)
		}
		return end, nil
	}
}

// quoted decodes a value that the string option of a field's tag has put into a
// string.
func (d *decoder) quoted(i int, v reflect.Value) (int, error) {
	end := d.skip(i)
	if d.raw[i] != '"' {
		return 0, &json.UnmarshalTypeError{Value: "unquoted value", Type: v.Type(), Offset: int64(i)}
	}
	inner, err := Unquote(d.raw[i:end])
	if err != nil {
		return 0, err
	}
	return end, json.Unmarshal([]byte(inner), v.Addr().Interface())
}

// fieldNamed finds a field as encoding/json does: an exact match is better than
// one that differs in case.
func fieldNamed(fields []field, name string) *field {
	for i := range fields {
		if fields[i].name == name {
			return &fields[i]
		}
	}
	for i := range fields {
		if strings.EqualFold(fields[i].name, name) {
			return &fields[i]
		}
	}
	return nil
}

// settableField goes to a field and makes the embedded structs on the way there.
func settableField(v reflect.Value, index []int) (reflect.Value, error) {
	for _, i := range index {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				if !v.CanSet() {
					return v, fmt.Errorf("embedded pointer to unexported struct %s", v.Type().Elem())
				}
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		v = v.Field(i)
	}
	return v, nil
}

// mapMember returns what decodes the members of an object into the map v.
func (d *decoder) mapMember(v reflect.Value) func(string, int) (int, error) {
	t := v.Type()
	return func(name string, i int) (int, error) {
		key, err := mapKey(t.Key(), name)
		if err != nil {
			return 0, err
		}
		elem := reflect.New(t.Elem()).Elem()
		end, err := d.value(i, elem)
		if err != nil {
			return 0, memberError(name, err)
		}
		v.SetMapIndex(key, elem)
		return end, nil
	}
}

// mapKey is the inverse of keyName.
func mapKey(t reflect.Type, name string) (reflect.Value, error) {
	key := reflect.New(t)
	if m, ok := key.Interface().(encoding.TextUnmarshaler); ok {
		err := m.UnmarshalText([]byte(name))
		return key.Elem(), err
	}
	key = key.Elem()
	var err error
	switch {
	case t.Kind() == reflect.String:
		key.SetString(name)
	case key.CanInt():
		var n int64
		n, err = strconv.ParseInt(name, 10, t.Bits())
		key.SetInt(n)
	case key.CanUint():
		var n uint64
		n, err = strconv.ParseUint(name, 10, t.Bits())
		key.SetUint(n)
	default:
		err = fmt.Errorf("%w %s as the key of a map", ErrType, t)
	}
	if err != nil {
		return key, &json.UnmarshalTypeError{Value: "name " + strconv.Quote(cut(name)), Type: t}
	}
	return key, nil
}
