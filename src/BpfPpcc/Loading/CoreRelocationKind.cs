namespace BpfPpcc.Loading;

/// <summary>enum bpf_core_relo_kind of the UAPI (linux/bpf.h): what a CO-RE relocation asks of the target's types.</summary>
internal enum CoreRelocationKind : uint
{
    FIELD_BYTE_OFFSET = 0,
    FIELD_BYTE_SIZE = 1,
    FIELD_EXISTS = 2,
    FIELD_SIGNED = 3,
    FIELD_LSHIFT_U64 = 4,
    FIELD_RSHIFT_U64 = 5,
    TYPE_ID_LOCAL = 6,
    TYPE_ID_TARGET = 7,
    TYPE_EXISTS = 8,
    TYPE_SIZE = 9,
    ENUMVAL_EXISTS = 10,
    ENUMVAL_VALUE = 11,
    TYPE_MATCHES = 12,
}

/// <summary>What a relocation is about, and so what its access string means.</summary>
internal enum CoreSubject
{
    Field,
    Type,
    Enumerator,
}

internal static class CoreRelocationKinds
{
    public static CoreSubject SubjectOf(CoreRelocationKind kind) => kind switch
    {
        CoreRelocationKind.FIELD_BYTE_OFFSET or CoreRelocationKind.FIELD_BYTE_SIZE or CoreRelocationKind.FIELD_EXISTS
            or CoreRelocationKind.FIELD_SIGNED or CoreRelocationKind.FIELD_LSHIFT_U64 or CoreRelocationKind.FIELD_RSHIFT_U64 =>
            CoreSubject.Field,
        CoreRelocationKind.TYPE_ID_LOCAL or CoreRelocationKind.TYPE_ID_TARGET or CoreRelocationKind.TYPE_EXISTS
            or CoreRelocationKind.TYPE_SIZE or CoreRelocationKind.TYPE_MATCHES => CoreSubject.Type,
        CoreRelocationKind.ENUMVAL_EXISTS or CoreRelocationKind.ENUMVAL_VALUE => CoreSubject.Enumerator,
    };
}
