// Command controlplane is a Kubernetes control plane for tests: etcd and kube-apiserver in one process, and, when they are
// wanted, Kubernetes' own controllers in another one; and kubectl. There is no kubelet and no scheduler.
//
//	controlplane up --dir DIR --port PORT
//	controlplane controllers ARGUMENTS OF kube-controller-manager...
//	controlplane kubectl ARGUMENTS...
//
// `up` serves https://127.0.0.1:PORT until it is stopped or killed. Everything it keeps lies in DIR; started again on the
// same DIR it goes on with the same data, certificates and tokens. It is ready when /readyz says so.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"
	"go.etcd.io/etcd/server/v3/embed"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	genericapiserver "k8s.io/apiserver/pkg/server"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/client-go/rest"
	"k8s.io/component-base/cli"
	logsapi "k8s.io/component-base/logs/api/v1"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
)

const usage = "usage: controlplane up --dir DIR --port PORT | controlplane controllers ARGUMENTS... | controlplane kubectl ARGUMENTS..."

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
	switch name := os.Args[1]; name {
	case "up":
		if err := up(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "controlplane:", err)
			os.Exit(1)
		}
	case "controllers":
		os.Args = os.Args[1:]
		os.Exit(cli.Run(controllers.NewControllerManagerCommand()))
	case "kubectl":
		os.Args = os.Args[1:]
		if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
			kubectlutil.CheckErr(err)
		}
	default:
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
}

func up(arguments []string) error {
	flags := flag.NewFlagSet("up", flag.ContinueOnError)
	dir := flags.String("dir", "", "folder of the data, certificates and tokens")
	port := flags.Int("port", 0, "port of the API server on 127.0.0.1")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if *dir == "" || *port == 0 {
		return errors.New(usage)
	}
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", *port))
	if err != nil {
		return err
	}
	server := "https://" + listener.Addr().String()
	if err := credentials(*dir, server); err != nil {
		return fmt.Errorf("credentials: %w", err)
	}
	ctx := genericapiserver.SetupSignalContext()
	etcd, err := startEtcd(*dir)
	if err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	defer etcd.Close()
	return serve(ctx, listener, []string{
		"--etcd-servers=http://" + etcd.Clients[0].Addr().String(),
		"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none",
		"--tls-cert-file=" + filepath.Join(*dir, serverCert), "--tls-private-key-file=" + filepath.Join(*dir, serverKey),
		"--token-auth-file=" + filepath.Join(*dir, tokens),
		"--service-account-issuer=" + server, "--service-account-key-file=" + filepath.Join(*dir, accountKey),
		"--service-account-signing-key-file=" + filepath.Join(*dir, accountKey),
		"--service-cluster-ip-range=10.96.0.0/16", "--authorization-mode=RBAC",
		"--enable-priority-and-fairness=false", "--profiling=false",
	})
}

// startEtcd starts a member of its own, without waiting for the disk: a killed process loses nothing by that.
func startEtcd(dir string) (*embed.Etcd, error) {
	config := embed.NewConfig()
	config.Dir = filepath.Join(dir, "etcd")
	any := []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	config.ListenClientUrls, config.AdvertiseClientUrls = any, any
	config.ListenPeerUrls, config.AdvertisePeerUrls = any, any
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	config.UnsafeNoFsync = true
	config.LogLevel = "warn"
	config.WarningUnaryRequestDuration = time.Second // it would tell of every request
	config.EnableGRPCGateway = false                 // it would dial the port 0 of the URL
	etcd, err := embed.StartEtcd(config)
	if err != nil {
		return nil, err
	}
	select {
	case <-etcd.Server.ReadyNotify():
		return etcd, nil
	case err := <-etcd.Err():
		return nil, err
	case <-time.After(60 * time.Second):
		etcd.Close()
		return nil, errors.New("not ready within 60 s")
	}
}

// serve is what the command kube-apiserver does with these arguments, on a listener that is open already.
func serve(ctx context.Context, listener net.Listener, arguments []string) error {
	server := options.NewServerRunOptions()
	flags := pflag.NewFlagSet("kube-apiserver", pflag.ContinueOnError)
	for _, set := range server.Flags().FlagSets {
		flags.AddFlagSet(set)
	}
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	server.SecureServing.Listener = listener
	server.SecureServing.BindPort = listener.Addr().(*net.TCPAddr).Port
	if err := server.GenericServerRunOptions.ComponentGlobalsRegistry.Set(); err != nil {
		return err
	}
	rest.SetDefaultWarningHandler(rest.NoWarnings{})
	if err := logsapi.ValidateAndApply(server.Logs, utilfeature.DefaultFeatureGate); err != nil {
		return err
	}
	completed, err := server.Complete(ctx)
	if err != nil {
		return err
	}
	if errs := completed.Validate(); len(errs) != 0 {
		return utilerrors.NewAggregate(errs)
	}
	return apiserver.Run(ctx, completed)
}
