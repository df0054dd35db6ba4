namespace BpfPpcc.Verification.Walk;

/// <summary>Which fields of the UAPI's socket structs may be read, and how wide (linux/bpf.h: bpf_sock, bpf_tcp_sock, bpf_xdp_sock).</summary>
internal static class SocketLayouts
{
    private const int SockBytes = 80;
    private const int TcpSockBytes = 112;
    private const int XdpSockBytes = 4;

    public static bool MayRead(RegisterKind kind, long offset, int size)
    {
        if (offset < 0 || offset % size != 0)
            return false;
        return kind switch
        {
            RegisterKind.Socket => MayReadSock(offset, size),
            RegisterKind.SockCommon => offset is not (>= 8 and < 24) && MayReadSock(offset, size),
            RegisterKind.TcpSock => offset < TcpSockBytes && (offset is 80 or 88 ? size == 8 : size == 4),
            RegisterKind.XdpSock => offset < XdpSockBytes && size == 4,
            RegisterKind.NotInit or RegisterKind.Scalar or RegisterKind.Context or RegisterKind.MapPointer or RegisterKind.MapValue
                or RegisterKind.MapKey or RegisterKind.Stack or RegisterKind.PacketMeta or RegisterKind.Packet or RegisterKind.PacketEnd
                or RegisterKind.FlowKeys or RegisterKind.Memory or RegisterKind.Buffer or RegisterKind.TracepointBuffer
                or RegisterKind.BtfObject or RegisterKind.Function or RegisterKind.Dynptr or RegisterKind.Arena => false,
        };
    }

    public static bool MayReadSock(long offset, int size)
    {
        if (offset >= SockBytes)
            return false;
        return offset switch
        {
            // bound_dev_if, mark, priority: as a whole only.
            < 4 or (>= 16 and < 24) => size == 4,
            // dst_port has 2 bytes; reading 4 is allowed for old programs, reading the padding is not.
            >= 48 and < 50 => size <= 2 || (size == 4 && offset == 48),
            >= 50 and < 52 => false,
            _ => size <= 4,
        };
    }
}
