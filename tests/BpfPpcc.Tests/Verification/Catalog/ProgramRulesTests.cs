using BpfPpcc.Bpf;
using BpfPpcc.Loading;
using BpfPpcc.Verification.Catalog;
using Xunit;

namespace BpfPpcc.Tests.Verification.Catalog;

public sealed class ProgramRulesTests
{
    [Theory]
    [InlineData(BpfProgramType.CGROUP_SKB, AttachTypes.BPF_CGROUP_INET_INGRESS, 0, 1)]
    [InlineData(BpfProgramType.CGROUP_SKB, AttachTypes.BPF_CGROUP_INET_EGRESS, 0, 3)]
    [InlineData(BpfProgramType.CGROUP_SOCK_ADDR, AttachTypes.BPF_CGROUP_INET4_BIND, 0, 3)]
    [InlineData(BpfProgramType.CGROUP_SOCK_ADDR, AttachTypes.BPF_CGROUP_INET4_CONNECT, 0, 1)]
    [InlineData(BpfProgramType.CGROUP_SOCK_ADDR, AttachTypes.BPF_CGROUP_UDP6_RECVMSG, 1, 1)]
    [InlineData(BpfProgramType.CGROUP_SOCK_ADDR, AttachTypes.BPF_CGROUP_UNIX_GETSOCKNAME, 1, 1)]
    [InlineData(BpfProgramType.CGROUP_DEVICE, AttachTypes.BPF_CGROUP_DEVICE, 0, 1)]
    [InlineData(BpfProgramType.SOCK_OPS, AttachTypes.BPF_CGROUP_SOCK_OPS, 0, 1)]
    [InlineData(BpfProgramType.SK_LOOKUP, AttachTypes.BPF_SK_LOOKUP, 0, 1)]
    [InlineData(BpfProgramType.NETFILTER, AttachTypes.BPF_NETFILTER, 0, 1)]
    [InlineData(BpfProgramType.TRACING, AttachTypes.BPF_TRACE_FENTRY, 0, 0)]
    [InlineData(BpfProgramType.TRACING, AttachTypes.BPF_TRACE_ITER, 0, 1)]
    [InlineData(BpfProgramType.KPROBE, AttachTypes.BPF_TRACE_KPROBE_SESSION, 0, 1)]
    [InlineData(BpfProgramType.LSM, AttachTypes.BPF_LSM_CGROUP, 0, 1)]
    [InlineData(BpfProgramType.LSM, AttachTypes.BPF_LSM_MAC, -4095, 0)]
    public void Restricted_return_values(BpfProgramType type, int attachType, int min, int max)
    {
        ReturnRange range = ProgramRules.ReturnRangeOf(new ProgramKind(type, attachType));
        Assert.True(range.IsRestricted);
        Assert.Equal((min, max), (range.Min, range.Max));
    }

    [Theory]
    [InlineData(BpfProgramType.XDP, 0)]
    [InlineData(BpfProgramType.SCHED_CLS, 0)]
    [InlineData(BpfProgramType.SOCKET_FILTER, 0)]
    [InlineData(BpfProgramType.KPROBE, 0)]
    [InlineData(BpfProgramType.TRACEPOINT, 0)]
    [InlineData(BpfProgramType.TRACING, AttachTypes.BPF_MODIFY_RETURN)]
    [InlineData(BpfProgramType.TRACING, AttachTypes.BPF_TRACE_RAW_TP)]
    [InlineData(BpfProgramType.SYSCALL, 0)]
    public void Free_return_values(BpfProgramType type, int attachType) =>
        Assert.False(ProgramRules.ReturnRangeOf(new ProgramKind(type, attachType)).IsRestricted);

    [Fact]
    public void Hooks_without_result()
    {
        var cgroup = new ProgramKind(BpfProgramType.LSM, AttachTypes.BPF_LSM_CGROUP);
        Assert.Equal(ReturnRange.Between(1, 1), ProgramRules.ReturnRangeOf(cgroup, isVoidHook: true));
        Assert.False(ProgramRules.ReturnsNothing(cgroup, isVoidHook: true));
        var mac = new ProgramKind(BpfProgramType.LSM, AttachTypes.BPF_LSM_MAC);
        Assert.True(ProgramRules.ReturnsNothing(mac, isVoidHook: true));
        Assert.False(ProgramRules.ReturnRangeOf(mac, isVoidHook: true).IsRestricted);
        Assert.True(ProgramRules.ReturnRangeOf(mac).Is32);
    }

    [Fact]
    public void Packets_are_written_by_those_types_that_own_them()
    {
        Assert.True(ProgramRules.MayWritePacket(BpfProgramType.XDP));
        Assert.False(ProgramRules.MayWritePacket(BpfProgramType.CGROUP_SKB));
        Assert.True(ProgramRules.MayPassPacket(BpfProgramType.CGROUP_SKB));
        Assert.False(ProgramRules.MayPassPacket(BpfProgramType.SOCK_OPS));
        Assert.True(ProgramRules.HasPacket(BpfProgramType.SOCK_OPS));
        Assert.False(ProgramRules.HasPacket(BpfProgramType.SOCKET_FILTER));
        Assert.True(ProgramRules.MayUsePacketLoads(BpfProgramType.SOCKET_FILTER));
        Assert.False(ProgramRules.MayUsePacketLoads(BpfProgramType.XDP));
    }

    /// <summary>A type whose context has a packet pointer has packet access, and the other way round.</summary>
    [Fact]
    public void Packet_access_and_contexts_agree()
    {
        foreach (BpfProgramType type in Enum.GetValues<BpfProgramType>())
        {
            ContextLayout layout = ContextLayouts.Of(new ProgramKind(type));
            bool hasPacket = layout.Members.Any(static member => member.Value == ContextValue.PACKET);
            Assert.Equal(hasPacket, ProgramRules.HasPacket(type));
        }
    }

    [Fact]
    public void Sleepable_programs()
    {
        Assert.True(ProgramRules.MayBeSleepable(new ProgramKind(BpfProgramType.TRACING, AttachTypes.BPF_TRACE_FENTRY)));
        Assert.False(ProgramRules.MayBeSleepable(new ProgramKind(BpfProgramType.TRACING, AttachTypes.BPF_TRACE_RAW_TP)));
        Assert.True(ProgramRules.MayBeSleepable(new ProgramKind(BpfProgramType.LSM, AttachTypes.BPF_LSM_MAC, Target: "file_open")));
        Assert.False(ProgramRules.MayBeSleepable(new ProgramKind(BpfProgramType.LSM, AttachTypes.BPF_LSM_MAC, Target: "inode_permission")));
        Assert.False(ProgramRules.MayBeSleepable(new ProgramKind(BpfProgramType.XDP)));
        Assert.True(ProgramRules.MustBeSleepable(BpfProgramType.SYSCALL));
    }

    [Fact]
    public void Kernel_functions_by_name_and_program_type()
    {
        Kfunc slice = KfuncTable.Find("bpf_dynptr_slice")!;
        Assert.True(slice.Has(KfuncFlags.RET_NULL) && slice.IsAllowedIn(new ProgramKind(BpfProgramType.SK_LOOKUP)));
        Kfunc acquire = KfuncTable.Find("bpf_task_acquire___flavour")!;
        Assert.True(acquire.Has(KfuncFlags.ACQUIRE) && acquire.Has(KfuncFlags.RCU) && acquire.IsAllowedIn(new ProgramKind(BpfProgramType.TRACING)));
        Assert.False(acquire.IsAllowedIn(new ProgramKind(BpfProgramType.SOCKET_FILTER)));
        Assert.False(KfuncTable.Find("bpf_dynptr_from_xdp")!.IsAllowedIn(new ProgramKind(BpfProgramType.SCHED_CLS)));
        Assert.Null(KfuncTable.Find("bpf_no_such_function"));
    }

    [Fact]
    public void Iterators_come_in_threes()
    {
        foreach (Kfunc kfunc in KfuncTable.All)
        {
            if (!kfunc.Has(KfuncFlags.ITER_NEW))
                continue;
            string stem = kfunc.Name[..^"new".Length];
            Assert.True(KfuncTable.Find(stem + "next")!.Has(KfuncFlags.ITER_NEXT));
            Assert.True(KfuncTable.Find(stem + "next")!.Has(KfuncFlags.RET_NULL));
            Assert.True(KfuncTable.Find(stem + "destroy")!.Has(KfuncFlags.ITER_DESTROY));
        }
    }

    [Theory]
    [InlineData("len__sz", KfuncParameter.SIZE)]
    [InlineData("buffer__szk", KfuncParameter.CONST_SIZE)]
    [InlineData("local_type_id__k", KfuncParameter.CONSTANT)]
    [InlineData("meta__ign", KfuncParameter.IGNORED)]
    [InlineData("clone__uninit", KfuncParameter.UNINIT)]
    [InlineData("p__refcounted_kptr", KfuncParameter.REFCOUNTED)]
    [InlineData("buffer__opt", KfuncParameter.OPTIONAL)]
    [InlineData("p__alloc", KfuncParameter.ALLOCATED)]
    [InlineData("name__str", KfuncParameter.STRING)]
    [InlineData("p__map", KfuncParameter.MAP)]
    [InlineData("task__nullable", KfuncParameter.NULLABLE)]
    [InlineData("rdonly_buf_size", KfuncParameter.RETURNED_SIZE | KfuncParameter.RETURNED_READONLY)]
    [InlineData("task", KfuncParameter.None)]
    public void Parameter_names_say_what_they_are(string name, object role) =>
        Assert.Equal((KfuncParameter)role, KfuncParameters.RoleOf(name));
}
